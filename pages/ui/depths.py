"""The freeze picker: how deep to train, with what every depth costs here and which is usually wise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from pages.ui import drafts, hardware, heads, strip, tables, words
from pages.ui.guard import guard, show_warning
from transfer_core.advice.depths import Amount, Depth, Task, depths, forward_speed, in_words
from transfer_core.advice.speed import Speed
from transfer_core.backbones.catalogue import BackboneInfo, catalogue
from transfer_core.data.project import Project
from transfer_core.errors import SettingsError
from transfer_core.i18n import _, ngettext
from transfer_core.training.settings import FreezeDepth, RunSettings

FALLBACK: FreezeDepth = "last-stage"


def fitting(project: Project, settings: RunSettings, info: BackboneInfo) -> RunSettings:
    """The settings with a depth that this backbone has; where theirs is none, that is said and the draft is changed."""
    key = f"too deep of {project.folder}"
    if any(conflict.code == "too-deep" for conflict in settings.conflicts(info)):
        st.session_state[key] = (info.name, settings.freeze)
        settings = drafts.change(project, freeze=FALLBACK)
    backbone, number = st.session_state.get(key, (None, 0))
    # Said until another depth or backbone is chosen: the draft that was wrong is gone as soon as this is drawn again.
    if backbone == info.name and settings.freeze == FALLBACK:
        count = len(info.stages)
        show_warning(
            SettingsError(
                _("{backbone} has {count} stages, so {number} of them can't be frozen.").format(
                    backbone=info.title, count=count, number=number
                ),
                fix=_("All but its last stage stays frozen instead. Choose another depth if you like."),
            )
        )
    else:
        st.session_state.pop(key, None)
    return settings


def task_of(project: Project, settings: RunSettings) -> Task | None:
    """What a training by these settings has to do; None for a backbone that the catalogue does not have."""
    info = catalogue().get(settings.backbone)
    if info is None:
        return None
    counts = [count for count in project.table.classes() if count.train]
    amount = Amount(sum(count.train for count in counts), sum(count.val for count in counts), len(counts))
    return Task(info, amount)


def speed_here(settings: RunSettings, task: Task) -> Speed | None:
    """The frozen backbone's speed where these settings will train; None where it is not known, as on graphics cards."""
    computer = hardware.look()
    on_card = bool(computer.gpus) and settings.device != "cpu"
    return None if on_card else forward_speed(task.info, settings.threads or computer.cores)


def draw(
    project: Project,
    settings: RunSettings,
    task: Task,
    title: str,
    name: Callable[[Any], str],
    bound: Callable[[FreezeDepth], dict[str, Any]],
) -> None:
    """Draw the picker; `name` is what a value of the setting is called, `bound` ties the widget that shows a depth to the draft."""
    info, speed = task.info, speed_here(settings, task)
    offered = depths(task, heads.cost(settings.head, settings, task).parameters, speed)
    chosen = in_words(settings.freeze, len(info.stages))
    options = [depth.freeze for depth in offered]
    if chosen not in options:  # a network whose stages are not known before it is here
        options.insert(1, chosen)
    st.select_slider(title, options, format_func=name, **bound(chosen))
    frozen = next((depth.frozen for depth in offered if depth.freeze == chosen), 0)
    if info.stages:
        strip.draw([stage.name for stage in info.stages], frozen)
    _wise(project, offered, chosen, name)
    _table(offered, chosen)
    st.caption(_explanation(offered))


def _wise(project: Project, offered: Sequence[Depth], chosen: FreezeDepth, name: Callable[[Any], str]) -> None:
    wise = next(depth for depth in offered if depth.wise)
    st.markdown(
        f":material/lightbulb: **{_('Usually wise: {depth}').format(depth=name(wise.freeze))}**  \n{words.plain(wise.wise)}"
    )
    if wise.freeze != chosen and st.button(_("Set this depth"), key="wise-depth", icon=":material/check:"):
        with guard():
            drafts.change(project, freeze=wise.freeze)
            st.rerun()


def _table(offered: Sequence[Depth], chosen: FreezeDepth) -> None:
    rows = [
        (
            _short(depth),
            words.brief_count(depth.parameters),
            words.brief_duration(depth.seconds) if depth.seconds is not None else "–",
            words.size(depth.boundary_bytes) if depth.boundary_bytes else "–",
        )
        for depth in offered
    ]
    tables.draw(
        [_("Frozen"), _("Learns"), _("An epoch"), _("On disk")],
        rows,
        notes={number: _("wise") for number, depth in enumerate(offered) if depth.wise},
        current=next((number for number, depth in enumerate(offered) if depth.freeze == chosen), None),
    )


def _short(depth: Depth) -> str:
    """A depth in a word or two: the form may be as narrow as a phone."""
    if depth.freeze in ("all", "none"):
        return _("All") if depth.freeze == "all" else _("Nothing")
    return ngettext("{count} stage", "{count} stages", depth.frozen).format(count=depth.frozen)


def _explanation(offered: Sequence[Depth]) -> str:
    if offered[0].seconds is None:
        time = _("How long an epoch takes on a graphics card is not predicted.")
    elif offered[0].measured:
        time = _("An epoch: estimated from this backbone's speed, which was measured on this computer.")
    else:
        time = _("An epoch: a rough estimate, from the backbone's size and your processor's cores.")
    return " ".join(
        (
            _("Learns: how many numbers training changes, the head's included."),
            time,
            _("On disk: what keeping the frozen part's work on all pictures would take."),
        )
    )

"""The widget of one setting, drawn from its field: kind, range, explanation, and what it is in conflict with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import streamlit as st

from pages.ui import drafts, heads, on_disk
from pages.ui.guard import guard
from pages.ui.setting_words import choice, label, value_text
from pages.ui.words import plain
from transfer_core.advice.depths import Task
from transfer_core.data.project import Project
from transfer_core.i18n import _
from transfer_core.images.augmentation import PRESETS
from transfer_core.training.conflicts import Conflict
from transfer_core.training.setting_facts import Facts, facts
from transfer_core.training.settings import RunSettings

INHERIT = "inherit"
YES_OR_NO = {INHERIT: None, "yes": True, "no": False}
NEXT_TO_NOTHING = {int: 1, float: 1e-8}  # the least of a number that must be above 0
NEXT_TO_ALL = {int: 1, float: 1e-5}
STEP = {int: 1, float: 0.05}
# What a press of + or - adds, where that is not usual.
STEPS: dict[str, float] = {
    "hidden_width": 32,
    "learning_rate": 1e-4,
    "weight_decay": 0.01,
    "start_pull": 0.001,
    "average": 0.01,
    "clip": 0.5,
    "minutes": 1.0,
    "steps": 100,
    "batch_size": 8,
    "image_size": 32,
    "rotate": 5.0,
    "noise": 0.01,
}


@dataclass(frozen=True)
class Form:
    """What the widgets are drawn for; `task` is None for a backbone that the catalogue does not have."""

    project: Project
    settings: RunSettings
    task: Task | None
    conflicts: Mapping[str, Conflict]  # by field

    def bound(self, name: str, words: Mapping[Any, Any] | None = None, /, **first: Any) -> dict[str, Any]:
        """What ties a widget to a setting: it shows what is on disk, and a change goes there before the page is drawn again.

        Where the widget can't hold the setting's values, `words` says what each of its own stands for. `first` as in `on_disk.bound`; a
        `value` may be the setting's in other words.
        """
        value = first.get("value", getattr(self.settings, name))
        shown = next(word for word, meant in words.items() if meant == value) if words else value
        return on_disk.bound(setting_key(self.project, name), shown, partial(_save, self.project, name, words), **first)

    @property
    def inherited(self) -> dict[str, float | bool]:
        """What a switch of the augmentation is when it is left empty."""
        return PRESETS[self.settings.augmentation].as_data()


def draw(form: Form, name: str) -> None:
    """Draw a setting's widget, its explanation, and what is wrong with it in the company of others."""
    _widget(form, name)
    if conflict := form.conflicts.get(name):
        st.caption(f":red[:material/error: {plain(conflict.problem)}]")
    st.caption(_(RunSettings.model_fields[name].description or ""))
    if name == "head" and form.task is not None:
        st.caption(heads.sentence(form.settings, form.task))


def setting_key(project: Project, name: str) -> str:
    """The key of a setting's widget, as long as nothing else changes the setting."""
    return f"setting {name} of {project.folder}"


def named(name: str) -> Callable[[Any], str]:
    """What calls the values of a setting."""
    return lambda value: choice(name, value)


def _save(project: Project, name: str, words: Mapping[Any, Any] | None, shown: Any) -> None:
    with guard():
        value = words[shown] if words else shown
        # A field that is left empty is as by default; only the switches have that as a value of its own.
        drafts.change(project, **{name: RunSettings.model_fields[name].default if value is None else value})


def _widget(form: Form, name: str) -> None:
    about, value = facts(name), getattr(form.settings, name)
    if about.words:
        _choice(form, name, list(about.words))
    elif about.truth:
        _yes_or_no(form, name) if about.default is None else st.toggle(label(name), **form.bound(name, value=value))
    elif about.number:
        _number(form, name, about)
    else:
        st.text_input(label(name), **form.bound(name, value=value))


def _choice(form: Form, name: str, options: list[Any]) -> None:
    value = getattr(form.settings, name)
    called = heads.named(form.settings, form.task, named(name)) if name == "head" and form.task is not None else named(name)
    # A value that is none of the words, such as a number of stages.
    options += [] if value in options else [value]
    bound = form.bound(name, index=options.index(value), labels=[called(option) for option in options])
    st.selectbox(label(name), options, format_func=called, **bound)


def _yes_or_no(form: Form, name: str) -> None:
    said = {INHERIT: _as_above(form, name), "yes": _("yes"), "no": _("no")}
    # To a select box None is that nothing was chosen.
    index = list(YES_OR_NO.values()).index(getattr(form.settings, name))
    bound = form.bound(name, YES_OR_NO, index=index, labels=list(said.values()))
    st.selectbox(label(name), list(said), format_func=said.__getitem__, **bound)


def _as_above(form: Form, name: str) -> str:
    """What a switch is where it is left to the preset."""
    value = form.inherited[name]
    return _("As above: {value}").format(value=value_text(name, value) if isinstance(value, bool) else f"{value:.3g}")


def _number(form: Form, name: str, about: Facts) -> None:
    kind: Any = about.number
    least, most, value = about.least, about.most, getattr(form.settings, name)
    # What may not be reached itself can't be said to the widget; what a file sets lies nearer to it now and then.
    lowest = None if least is None else kind(least) + (NEXT_TO_NOTHING[kind] if about.above else 0)
    highest = None if most is None else kind(most) - (NEXT_TO_ALL[kind] if about.below else 0)
    options: dict[str, Any] = {
        "min_value": lowest if lowest is None or value is None else min(lowest, value),
        "max_value": highest if highest is None or value is None else max(highest, value),
        "step": kind(STEPS.get(name, STEP[kind])),
    }
    if kind is float:
        options["format"] = "%g"
    if about.default is None:
        st.number_input(label(name), value=None, placeholder=_as_above(form, name), **options, **form.bound(name))
    else:
        st.number_input(label(name), **options, **form.bound(name, value=value))

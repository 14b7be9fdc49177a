"""The form of a training's settings, drawn from the settings' own fields, a section for each of their groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import streamlit as st

from pages.ui import augmented, depths, drafts, plan_times, rate, setting_fields
from pages.ui.setting_fields import Form, named, setting_key
from pages.ui.setting_words import ELSEWHERE, changed, group_sentence, label, plan_sentence
from transfer_core.data.project import Project
from transfer_core.i18n import _
from transfer_core.training.conflicts import Conflict
from transfer_core.training.setting_facts import group_title
from transfer_core.training.settings import Group, RunSettings, fields_of

# Of interest to few, or good as they are: folded away, with what differs from the defaults said beside them.
FOLDED: frozenset[Group] = frozenset({"regularisation", "switches", "computer"})
ICONS: dict[str, str] = {"regularisation": "fitness_center", "switches": "tune", "computer": "memory"}


def draw(project: Project) -> tuple[RunSettings, list[Conflict]]:
    """Draw the form; returns the settings as they are, and what of them does not go together.

    What is changed is kept as the project's draft at once.
    """
    settings = drafts.read(project)
    task = depths.task_of(project, settings) if settings.plan == "custom" else None
    if task is not None:
        settings = depths.fitting(project, settings, task.info)
    found = settings.conflicts(task.info) if task is not None else []
    form = Form(project, settings, task, {conflict.field: conflict for conflict in found})
    _plan(form)
    for group in get_args(Group):
        names = [name for name in fields_of(group) if name not in ELSEWHERE and settings.applies(name)]
        if names:
            _section(form, group, names)
    return settings, found


def _plan(form: Form) -> None:
    plans = list(get_args(RunSettings.model_fields["plan"].annotation))
    st.segmented_control(
        label("plan"), plans, required=True, format_func=named("plan"), **form.bound("plan", default=form.settings.plan)
    )
    st.caption(plan_sentence(form.settings.plan))
    plan_times.draw(form.project, form.settings)


def _section(form: Form, group: Group, names: list[str]) -> None:
    if group not in FOLDED:
        st.subheader(group_title(group), anchor=False)
        _inside(form, group, names)
        return
    key = setting_key(form.project, f"group {group}")
    with st.expander(group_title(group), icon=f":material/{ICONS[group]}:", on_change="rerun", key=key) as folded:
        if folded.open:
            _inside(form, group, names)
    if not folded.open and (differing := changed(form.settings, names)):
        st.caption(" · ".join(differing))


def _inside(form: Form, group: Group, names: Sequence[str]) -> None:
    st.caption(group_sentence(group))
    if group == "network" and form.task is not None:
        with st.container(gap="small"):
            depths.draw(
                form.project,
                form.settings,
                form.task,
                label("freeze"),
                named("freeze"),
                lambda depth: form.bound("freeze", value=depth),
            )
            st.caption(_(RunSettings.model_fields["freeze"].description or ""))
        names = [name for name in names if name != "freeze"]
    if "learning_rate" in names and form.task is not None:
        # What is found lies under the field that it is for, also where all fields stand in one column.
        until = names.index("learning_rate") + 1
        _fields(form, names[:until])
        rate.draw(form.project, form.settings)
        names = names[until:]
    _fields(form, names)
    if group == "pictures":
        augmented.draw(form.project, form.settings.varied)


def _fields(form: Form, names: Sequence[str]) -> None:
    with st.grid("auto", min_column_width=200, gap="medium"):
        for name in names:
            with st.container(gap="xsmall"):
                setting_fields.draw(form, name)
                if name == "learning_rate" and form.task is not None:
                    rate.offer(form.project, form.settings, able=not form.conflicts)

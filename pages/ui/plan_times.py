"""How long the chosen plan will take on this computer, said before it starts."""

from __future__ import annotations

import streamlit as st

from pages.ui import depths, words
from transfer_core.advice.plan_time import plan_time
from transfer_core.data.project import Project
from transfer_core.i18n import _
from transfer_core.training.settings import RunSettings

_WORTH_SAYING = 5.0  # seconds


def draw(project: Project, settings: RunSettings) -> None:
    """Draw a sentence; nothing where it is not known, as on graphics cards, and for custom, whose depths tell their own times."""
    task = depths.task_of(project, settings) if settings.plan != "custom" else None
    speed = depths.speed_here(settings, task) if task else None
    if task is None or speed is None:
        return
    time = plan_time(settings.plan, task, speed)
    if time is None or time.total < _WORTH_SAYING:
        return
    sentence = _("About {time} on this computer.").format(time=words.short_duration(time.total))
    if not speed.measured:
        sentence = _("Perhaps {time} on this computer; the training measures it before its longest part, and tells.").format(
            time=words.short_duration(time.total)
        )
    elif _WORTH_SAYING < time.once < time.total:
        sentence = _("About {time} on this computer, {once} of it only the first time for these pictures.").format(
            time=words.short_duration(time.total), once=words.short_duration(time.once)
        )
    st.caption(f":material/schedule: {sentence}")

"""The visible path through the pages, how far a project is on it, and the button that leads on."""

from __future__ import annotations

import streamlit as st

from pages.ui import address, watch
from transfer_core.data.project import Project
from transfer_core.i18n import _
from transfer_core.runs.folder import Run, list_runs

PATH = ("home", "data", "backbone", "train", "results", "try")
BESIDE = ("runs", "settings")
ICONS = {
    "home": ":material/home:",
    "data": ":material/photo_library:",
    "backbone": ":material/hub:",
    "train": ":material/model_training:",
    "results": ":material/fact_check:",
    "try": ":material/image_search:",
    "runs": ":material/list_alt:",
    "settings": ":material/settings:",
}


def title(page: str) -> str:
    """What a page is called."""
    return {
        "home": _("Home"),
        "data": _("Data"),
        "backbone": _("Backbone"),
        "train": _("Train"),
        "results": _("Results"),
        "try": _("Try"),
        "runs": _("Runs"),
        "settings": _("Settings"),
    }[page]


def done(project: Project) -> set[str]:
    """The steps of the path that `project` has behind it."""
    behind = set()
    if project.table.count():
        behind |= {"home", "data"}
    if any(watch.has_model(run) for run in list_runs(project.folder)):
        behind |= {"backbone", "train"}
    return behind


def forward(label: str, page: str, project: Project, run: Run | None = None, disabled: bool = False) -> None:
    """The button to the next step."""
    if st.button(label, type="primary", icon=":material/arrow_forward:", disabled=disabled, key=f"forward-{page}"):
        address.go(page, project, run)

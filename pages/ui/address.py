"""The address of a page carries what it is about: the project, the run and, when asked for, the language."""

from __future__ import annotations

import os
from pathlib import Path

import streamlit as st

from pages.ui.preferences import PARAMETER
from transfer_core.data.project import FILE, Project
from transfer_core.errors import DataError
from transfer_core.i18n import _
from transfer_core.places import home
from transfer_core.runs.folder import AUTOMATIC, Run

SCRIPTS = {
    "home": "app.py",
    "data": "pages/Data.py",
    "backbone": "pages/Backbone.py",
    "train": "pages/Train.py",
    "results": "pages/Results.py",
    "try": "pages/Try.py",
    "runs": "pages/Runs.py",
    "settings": "pages/Settings.py",
}


def project_key(folder: Path) -> str:
    """How the address names the project in `folder`: short for ours, the path for one elsewhere."""
    return folder.name if folder.parent == home() else str(folder)


def project_in_address() -> Project | None:
    """The project that the address names; raises DataError when it is not there."""
    key = st.query_params.get("project")
    if not key:
        return None
    for folder in (home() / key, Path(key)):
        if folder.is_absolute() and os.path.isfile(folder / FILE):  # noqa: PTH113 (Path raises for a name too long)
            return Project.open(folder)
    raise DataError(
        _("There is no project {name} here (any more).").format(name=key),
        code="no-such-project",
        fix=_("Choose one on the home page."),
    )


def parameters(project: Project | None = None, run: Run | None = None) -> dict[str, str]:
    """The query of an address about `project` and `run`."""
    query = {}
    if project is not None:
        query["project"] = project_key(project.folder)
    if run is not None:
        query["run"] = AUTOMATIC if run.automatic else run.id
    if PARAMETER in st.query_params:
        query[PARAMETER] = st.query_params[PARAMETER]
    return query


def go(page: str, project: Project | None = None, run: Run | None = None) -> None:
    """Go to another page; nothing after this call runs."""
    st.switch_page(SCRIPTS[page], query_params=parameters(project, run))


def link(page: str, label: str, project: Project | None = None, run: Run | None = None, icon: str | None = None) -> None:
    """A link to another page."""
    st.page_link(SCRIPTS[page], label=label, icon=icon, query_params=parameters(project, run))

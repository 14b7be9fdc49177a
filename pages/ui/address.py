"""The address of a page carries what it is about: the project, the run and, when asked for, the language."""

from __future__ import annotations

import streamlit as st

from pages.ui.preferences import PARAMETER
from transfer_core.data.project import Project
from transfer_core.runs.folder import AUTOMATIC, Run
from transfer_core.web.projects import project_key, project_named

NEW = "new"  # in place of a run: the next one, also while another is at work
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


def project_in_address() -> Project | None:
    """The project that the address names; raises DataError when it is not there."""
    key = st.query_params.get("project")
    return project_named(key) if key else None


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


def go_to_new(project: Project) -> None:
    """Go to the settings of the next training, also while one is at work."""
    st.switch_page(SCRIPTS["train"], query_params=parameters(project) | {"run": NEW})


def stay_with(project: Project, run: Run) -> None:
    """Have the address name the run that is shown, so that the page is still about it when it has ended."""
    st.query_params.from_dict(parameters(project, run))


def wants_new() -> bool:
    """Whether the address is about the next training."""
    return st.query_params.get("run") == NEW


def link(page: str, label: str, project: Project | None = None, run: Run | None = None, icon: str | None = None) -> None:
    """A link to another page."""
    st.page_link(SCRIPTS[page], label=label, icon=icon, query_params=parameters(project, run))

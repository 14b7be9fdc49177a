"""The frame around every page: title, sidebar, language, and what its address is about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from pages.ui import address, logs, preferences, sidebar, steps
from pages.ui.guard import guard, show_error, take_kept
from pages.ui.words import one_line
from transfer_core.data.project import Project
from transfer_core.errors import RunError, TransferError
from transfer_core.i18n import _
from transfer_core.runs.automatic import model_of
from transfer_core.runs.folder import AUTOMATIC, Run, list_runs

# A file of ours: Streamlit would have the browser fetch a Material symbol for the tab from Google.
ICON = str(Path(__file__).parent / "icon.png")
WIDTH = 1080  # pixels: longer lines are hard to read
# What is chosen is written in the colour of buttons, which has to carry white text: too dark on a dark ground. And Streamlit gives
# the axes of charts a grey of its own, too faint on our light ground. A phone has no room for icons in a row of choices. The “Stop” that
# Streamlit shows while a page is drawn would be taken for that of a training: see `presses`.
_STYLE = """
<style>
.stButtonGroup [role="radio"][aria-checked="true"] { color: inherit !important; }
@media (max-width: 640px) { .stButtonGroup [role="radio"] span:has(> [data-testid="stIconMaterial"]) { display: none; } }
[data-testid="stStatusWidget"] button { display: none; }
.js-plotly-plot :is(.xtick text, .ytick text, .xtitle, .ytitle, .legendtext) { fill: currentColor !important; }
</style>
"""


@dataclass(frozen=True)
class Here:
    """What the address of the page is about."""

    project: Project | None = None
    run: Run | None = None


@contextmanager
def page(key: str, needs_project: bool = True) -> Iterator[Any]:
    """Draw the frame and hand the page what its address is about, as `Here`; problems inside become sentences.

    A page that `needs_project` and has none says what to do instead, and its body does not run.
    """
    logs.write_to_file()
    preferences.choose_language()
    here, problem = _look_around(key)
    st.set_page_config(page_title=_tab_title(key, here), layout="wide")
    st.html(_STYLE)
    kept = take_kept(key)  # before the first part that draws itself: it would ask for the page again
    with guard():
        sidebar.draw(key, here.project, here.run)
    with st.container(width=WIDTH), guard():
        for error in kept:
            show_error(error)
        if problem is not None:
            show_error(problem)
        if needs_project and here.project is None:
            _ask_for_project(key)
            st.stop()
        yield here
    # Last, because the first icon makes Streamlit load NumPy and Pillow, which nothing on the home page has to wait for.
    st.set_page_config(page_icon=ICON)


def heading(title: str, explanation: str) -> None:
    """The top of a page: its title, and in a sentence what it is for. Both are ours, not data."""
    st.title(title, anchor=False)
    st.markdown(explanation)


def _tab_title(key: str, here: Here) -> str:
    name = one_line(here.project.name) if here.project and key != "home" else None
    parts = [sidebar.notice(key, here.project, here.run), None if key == "home" else steps.title(key), name, "Transfer Studio"]
    return " · ".join(part for part in parts if part)


def _look_around(key: str) -> tuple[Here, TransferError | None]:
    here = Here()
    try:
        here = Here(address.project_in_address())
        return Here(here.project, _run_in_address(here.project, key)), None
    except TransferError as error:
        return here, error


def _run_in_address(project: Project | None, key: str) -> Run | None:
    wanted = st.query_params.get("run")
    if not wanted or wanted == address.NEW or project is None:
        return None
    if wanted == AUTOMATIC:
        # It can be tried, and that is all.
        return model_of(project.folder) if key == "try" else None
    run = next((run for run in list_runs(project.folder) if run.id == wanted), None)
    if run is None:
        raise RunError(
            _("There is no training {name} in this project (any more).").format(name=wanted),
            code="no-such-run",
            fix=_("The Runs page lists those there are."),
        )
    return run


def _ask_for_project(key: str) -> None:
    st.title(steps.title(key), anchor=False)
    st.markdown(
        _("This page is about a project: a folder of your pictures, and what was made of it. Open one on the home page first.")
    )
    if st.button(_("Go to the home page"), type="primary", icon=":material/home:"):
        address.go("home")

"""More pictures for a project: another folder, archive or table, with the classes that they would bring."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages.ui import folders, reading
from pages.ui.guard import guard
from pages.ui.words import one_line
from transfer_core.data import scanning
from transfer_core.data.project import Project
from transfer_core.i18n import _


def draw(project: Project, classes: list[str]) -> None:
    """Draw the way to add pictures that lie on this computer; `classes` are those that there are."""
    key = f"adding to {project.folder}"
    with st.expander(
        _("Add pictures from this computer"), icon=":material/add_photo_alternate:", on_change="rerun", key="adding"
    ) as area:
        if not area.open:
            return
        st.caption(_("A folder, a zip, or a CSV of files and classes. They are only read; only what is new is computed."))
        with st.form("add-place", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
            text = st.text_input(_("Folder, zip or CSV to add"), key="add-typed")
            submitted = st.form_submit_button(_("Look at it"), icon=":material/search:")
        if submitted:
            with guard():
                st.session_state[key] = str(folders.typed_place(text))
        if st.button(_("Browse…"), icon=":material/folder_open:", key="add-browse"):
            folders.browse(lambda place: _take(key, place))
        if key in st.session_state:
            with guard():
                _offer(project, Path(st.session_state[key]), key, classes)


def _take(key: str, place: Path) -> None:
    st.session_state[key] = str(place)
    st.rerun()


def _offer(project: Project, place: Path, key: str, classes: list[str]) -> None:
    with st.container(border=True):
        st.text(one_line(place))
        chosen = reading.choose(place, reading.understood(place, fewest=1), f"add-{place}", classes)
        with st.container(horizontal=True):
            if (
                st.button(_("Add these pictures"), type="primary", icon=":material/add:", disabled=not chosen, key="add-them")
                and chosen
            ):
                with st.spinner(_("Looking at them…")):
                    project.add_source(project.source_of(place, chosen.reading))
                del st.session_state[key]
                scanning.start(project)
                st.rerun()
            if st.button(_("Not these"), key="add-not"):
                del st.session_state[key]
                st.rerun()
        if chosen:
            reading.show_pictures(place, chosen)

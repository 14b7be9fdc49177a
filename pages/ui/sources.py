"""The folders that a project's pictures come from, and one that is not where it was."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages.ui import folders
from pages.ui.guard import guard
from pages.ui.words import one_line
from transfer_core.data import scanning
from transfer_core.data.project import Project
from transfer_core.i18n import _
from transfer_core.web import access


def draw_missing(project: Project) -> bool:
    """Ask for folders that are not where they were; returns whether all are there."""
    missing = project.missing_sources()
    for folder in missing:
        _ask(project, folder)
    return not missing


def _ask(project: Project, folder: Path) -> None:
    with st.container(border=True):
        st.warning(
            _("The folder of these pictures is not where it was. Nothing else is lost: say where it is now."),
            icon=":material/folder_off:",
        )
        if access.current().shared:
            st.caption(_("That can only be said at the computer that runs Transfer Studio."))
            return
        st.text(one_line(folder))
        found = _find(project, folder)
        if found is not None:
            st.markdown(_("A folder with the same pictures was found:"))
            st.text(one_line(found))
            if st.button(_("Use this folder"), type="primary", icon=":material/check:", key=f"found-{folder}"):
                _move(project, folder, found)
        with st.form(f"moved-{folder}", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
            text = st.text_input(_("Where it is now"), key=f"where-{folder}")
            submitted = st.form_submit_button(_("Use this folder") if found is None else _("Use this one instead"))
        if submitted:
            with guard():
                _move(project, folder, folders.typed_folder(text))
        if st.button(_("Browse…"), icon=":material/search:", key=f"browse-{folder}"):
            folders.browse(lambda new: _move(project, folder, new))


def _find(project: Project, folder: Path) -> Path | None:
    """Looked for once a minute: it goes through the folders around."""
    return _found(str(project.folder), str(folder), project)


@st.cache_data(ttl=60, max_entries=20, show_spinner=False)
def _found(project_folder: str, folder: str, _project: Project) -> Path | None:
    return _project.find_moved(Path(folder))


def _move(project: Project, old: Path, new: Path) -> None:
    with guard():
        access.check_disk_may_be_seen()
        project.move_source(old, new)
        scanning.start(project)
        st.rerun()

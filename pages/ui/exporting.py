"""Taking the cleaned set elsewhere: as a table to download, or as copies in a folder per class."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import streamlit as st

from pages.ui import folders, handing_over, jobs_view, progress, tables, watch
from pages.ui.guard import guard, show_error
from pages.ui.words import one_line, plain
from transfer_core.data.export import check_target, write_csv
from transfer_core.data.project import Project
from transfer_core.i18n import _, ngettext
from transfer_core.runs import jobs
from transfer_core.web import access

KIND = "copy"
_LISTED = 50


def draw(project: Project) -> None:
    """Draw the two ways, and what came of the last copying."""
    count = project.table.count()
    st.markdown(
        ngettext(
            "The {count} picture in use, with its class as it is now. Your own files stay as they are.",
            "The {count} pictures in use, with their classes as they are now. Your own files stay as they are.",
            count,
        ).format(count=f"{count:,}")
    )
    with st.container(border=True):
        st.header(_("As a table"), anchor=False)
        st.markdown(
            _("One line a picture: its file, its class, what it is for, and the class its folder says where that was changed.")
        )
        handing_over.button(
            _("Download the table (CSV)"),
            lambda: _table(project),
            f"{one_line(project.name)}.csv",
            "text/csv",
            key="export-csv",
            disabled=not count,
        )
    if not access.current().shared:  # it writes to any folder of this computer
        with st.container(border=True):
            st.header(_("As folders"), anchor=False)
            _draw_folders(project, count)


def _table(project: Project) -> bytes:
    file = io.BytesIO()
    write_csv(project, file)
    return file.getvalue()


def _draw_folders(project: Project, count: int) -> None:
    job = jobs_view.newest(KIND, project.folder)
    jobs_view.follow(KIND, project.folder, progress.sentence)
    if job is not None and not jobs_view.at_work(job):
        state = watch.state_of(job)
        if state.error is not None:
            show_error(state.error)
        elif state.status == "stopped":
            st.caption(_("It was stopped. Copy into the same folder again to go on from there."))
        elif report := job.report():
            _result(report)
    if jobs_view.at_work(job):
        return
    st.markdown(_("Copies of the pictures, in a new folder on this computer: one folder a class."))
    text = st.text_input(_("New folder"), key="export-folder", placeholder=_("for example /home/me/cleaned"))
    by_split = st.checkbox(
        _("Keep learning, checking and testing apart: train, val and test, each with the classes"), key="export-split"
    )
    if st.button(_("Copy the pictures"), icon=":material/folder_copy:", key="export-copy", disabled=not count or not text):
        with guard():
            folder = folders.typed_path(text or "")
            if folder is not None:
                check_target(project, folder, by_split)
                arguments = {"project": str(project.folder), "folder": str(folder), "by_split": by_split}
                jobs.begin(KIND, arguments, project.folder)
                st.rerun()


def _result(report: Mapping[str, Any]) -> None:
    count = int(report["pictures"])
    st.success(
        ngettext("{count} picture was copied to {folder}.", "{count} pictures were copied to {folder}.", count).format(
            count=f"{count:,}", folder=plain(report["folder"])
        ),
        icon=":material/check_circle:",
    )
    if renamed := report["renamed"]:
        st.caption(_("Some classes have names that no folder can have; their folders are called:"))
        tables.draw([_("Class"), _("Folder")], [[label, name] for label, name in renamed.items()], left=True)
    if missing := report["missing"]:
        st.warning(
            ngettext("{count} picture could not be read.", "{count} pictures could not be read.", len(missing)).format(
                count=f"{len(missing):,}"
            ),
            icon=":material/warning:",
        )
        tables.draw([_("File"), _("Why")], [[name, reason] for name, reason in missing[:_LISTED]], left=True)

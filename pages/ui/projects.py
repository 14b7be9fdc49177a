"""The projects there are, and what can be done with each as a whole."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages.ui import address, watch, words
from pages.ui.guard import guard
from transfer_core.data.project import Project, ProjectSummary, list_projects
from transfer_core.i18n import _
from transfer_core.places import trash_folder
from transfer_core.runs import automatic

_SHOWN = 12


def draw() -> None:
    """Draw the projects as cards, the last used first."""
    summaries = list_projects()
    if not summaries:
        return
    st.header(_("Your projects"), anchor=False)
    everything = len(summaries) <= _SHOWN or st.toggle(_("Show all {count}").format(count=len(summaries)))
    with st.grid("auto", min_column_width=300):
        for summary in summaries if everything else summaries[:_SHOWN]:
            _card(summary)


def _card(summary: ProjectSummary) -> None:
    key = summary.folder.name
    with st.container(border=True, gap="xsmall", height="stretch"):
        st.markdown(f"**{words.plain(summary.name)}**")
        running = watch.active_run(summary.folder)
        st.caption(
            " · ".join(
                [
                    words.pictures(summary.images),
                    words.classes(summary.classes),
                    _("training now") if running else words.moment(summary.modified),
                ]
            )
        )
        with st.container(horizontal=True):
            if st.button(_("Continue"), key=f"open-{key}", icon=":material/arrow_forward:", help=words.plain(summary.name)):
                _open(summary.folder)
            choices = {"rename": _("Rename"), "duplicate": _("Duplicate"), "delete": _("Delete")}
            chosen = st.menu_button(_("More"), list(choices), format_func=choices.__getitem__, key=f"more-{key}", type="tertiary")
        if chosen == "delete":
            _ask_to_delete(summary.folder)
        elif chosen:
            _ask_for_name(summary.folder, chosen)


def _open(folder: Path) -> None:
    with guard():
        project = Project.open(folder)
        running = watch.active_run(folder)
        address.go("train" if running else "data", project, running)


def _ask_for_name(folder: Path, what: str) -> None:
    title = _("Rename the project") if what == "rename" else _("Duplicate the project")

    @st.dialog(title, icon=":material/edit:")
    def dialog() -> None:
        with guard(), st.form("project-name", border=False):
            project = Project.open(folder)
            start = project.name if what == "rename" else _("{name}, copy").format(name=project.name)
            name = st.text_input(_("Name"), value=start, max_chars=200)
            if what == "duplicate":
                st.caption(_("The copy looks at the same pictures and begins without trainings."))
            if st.form_submit_button(title, type="primary"):
                project.rename(name) if what == "rename" else project.duplicate(name)
                st.rerun()

    dialog()


def _ask_to_delete(folder: Path) -> None:
    @st.dialog(_("Delete the project?"), icon=":material/delete:")
    def dialog() -> None:
        with guard():
            project = Project.open(folder)
            st.text(words.one_line(project.name))
            st.markdown(
                _("It goes to this program's trash with its trainings and models. Your own pictures stay where they are.")
            )
            st.caption(words.plain(trash_folder()))
            if watch.active_run(folder):
                st.warning(_("A training of this project is at work. Stop it first."), icon=":material/warning:")
            elif st.button(_("Delete the project"), type="primary", icon=":material/delete:"):
                automatic.halt(folder)
                project.delete()
                st.rerun()

    dialog()

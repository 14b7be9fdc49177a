"""The trainings of a project as a list, and what can be done with each."""

from __future__ import annotations

import streamlit as st

from pages.ui import address, comparing, drafts, scores, setting_words, waiting, watch, words
from pages.ui.guard import guard
from pages.ui.words import plain
from transfer_core.data.project import Project
from transfer_core.errors import TransferError
from transfer_core.i18n import _
from transfer_core.places import trash_folder
from transfer_core.runs import dispatcher, queue
from transfer_core.runs.folder import Run, list_runs
from transfer_core.runs.state import RunState

_PAGE = 10


def draw(project: Project) -> None:
    """Draw the trainings, newest first."""
    runs = list_runs(project.folder)
    if not runs:
        st.info(_("Nothing was trained in this project yet."), icon=":material/info:")
        if st.button(_("Train a model"), type="primary", icon=":material/model_training:"):
            address.go("train", project)
        return
    waiting.draw(project)
    comparing.draw(runs)
    st.header(_("All trainings"), anchor=False)
    page = st.pagination(-(-len(runs) // _PAGE), key="page-runs") if len(runs) > _PAGE else 1
    for run in runs[(page - 1) * _PAGE : page * _PAGE]:
        with guard():
            _card(project, run)


def _card(project: Project, run: Run) -> None:
    state = watch.state_of(run)
    with st.container(border=True, gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{plain(run.name)}**", width="content")
            waiting.badge(run, state.status)
        st.caption(" · ".join(filter(None, [words.moment(run.created), *_settings(run), _accuracy(run)])))
        _why(state)
        with st.container(horizontal=True):
            if st.button(_("Open"), key=f"open-{run.id}", icon=":material/arrow_forward:"):
                address.go("train", project, run)
            if state.resumable and queue.find(run) is None:
                _carry_on(project, run, state)
            choices = {
                "rename": _("Rename"),
                "duplicate": _("Duplicate"),
                "change": _("Duplicate with changes"),
                "delete": _("Delete"),
            }
            choice = choices.__getitem__
            chosen = st.menu_button(_("More"), list(choices), format_func=choice, key=f"more-{run.id}", type="tertiary")
        if chosen == "rename":
            _ask_for_name(run)
        elif chosen == "duplicate":
            address.go("train", project, run.duplicate({}))
        elif chosen == "change":
            drafts.change(project, **run.settings.model_dump())
            address.go_to_new(project)
        elif chosen == "delete":
            _ask_to_delete(run)


def _carry_on(project: Project, run: Run, state: RunState) -> None:
    fresh = state.status == "queued"
    label = _("Add to the queue") if fresh else _("Resume")
    if st.button(label, key=f"resume-{run.id}", icon=":material/playlist_add:" if fresh else ":material/play_arrow:"):
        dispatcher.submit(run, first=not fresh)
        address.go("runs" if fresh else "train", project, None if fresh else run)


def _settings(run: Run) -> list[str]:
    try:
        return setting_words.summary(run.settings)
    except TransferError as error:
        return [plain(error.message)]


def _accuracy(run: Run) -> str | None:
    accuracy = scores.short(run)
    return _("{share} right").format(share=accuracy) if accuracy else None


def _why(state: RunState) -> None:
    if state.status == "died":
        st.markdown(_("The program that was training ended without a word. Nothing that was finished is lost: resume it."))
    elif state.status == "failed" and state.error is not None:
        st.markdown(plain(state.error.message))


def _ask_for_name(run: Run) -> None:
    @st.dialog(_("Rename the training"), icon=":material/edit:")
    def dialog() -> None:
        with guard(), st.form("run-name", border=False):
            name = st.text_input(_("Name"), value=run.name, max_chars=200)
            if st.form_submit_button(_("Rename"), type="primary"):
                run.rename(name)
                st.rerun()

    dialog()


def _ask_to_delete(run: Run) -> None:
    @st.dialog(_("Delete the training?"), icon=":material/delete:")
    def dialog() -> None:
        with guard():
            st.text(words.one_line(run.name))
            st.markdown(_("It goes to this program's trash with its model. Your pictures stay where they are."))
            st.caption(plain(trash_folder()))
            if st.button(_("Delete the training"), type="primary", icon=":material/delete:"):
                if queue.find(run) is not None:
                    queue.cancel(run)
                run.delete()
                st.rerun()

    dialog()

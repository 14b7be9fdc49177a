"""timm's networks, where it is installed: they are counted once, some minutes, before they join the catalogue."""

from __future__ import annotations

import streamlit as st

from pages.ui import jobs_view, progress, watch
from pages.ui.guard import guard, show_error
from transfer_core.backbones.catalogue import timm_file
from transfer_core.i18n import _
from transfer_core.runs import jobs
from transfer_core.runs.state import RunState

KIND = "timm"


def draw() -> None:
    """Offer to add them, as long as they are not; nothing where timm is not installed."""
    file = timm_file()
    if file is None:
        return
    job = jobs_view.newest(KIND, None)
    if not file.exists() and not jobs_view.at_work(job):
        state = watch.state_of(job) if job else None
        if state is not None and state.error is not None:
            show_error(state.error)
        st.markdown(
            _(
                "The package timm is installed: it has some two thousand more networks. To list them, the program counts once what "
                "each of them costs. That takes some minutes; you can go on meanwhile."
            )
        )
        if st.button(_("Add timm's networks"), icon=":material/playlist_add:", key="add-timm"):
            with guard():
                jobs.begin(KIND, {"version": file.stem})
                st.rerun()
    jobs_view.follow(KIND, None, _sentence)


def _sentence(state: RunState) -> str:
    told = state.history.progress
    if not told:
        return _("Getting ready")
    return _("{done} of {total}").format(done=f"{told['done']:,}", total=f"{told['total']:,}") + progress.time_left(told)

"""Whether a backbone's weights are here, and their download: a button, then how far it is, then what came of it."""

from __future__ import annotations

import time
from dataclasses import dataclass

import streamlit as st

from pages.ui import progress, watch, words
from pages.ui.guard import fragment, guard, show_error
from transfer_core.backbones.catalogue import BackboneInfo
from transfer_core.backbones.weights import kept_published
from transfer_core.i18n import _
from transfer_core.runs import control, jobs
from transfer_core.runs.jobs import Job
from transfer_core.runs.state import RunState

KIND = "fetch"
TICK = 1.0  # seconds between two looks at a download
IDLE = 4.0  # and at what others do
_RECENT = 3600  # seconds; an older failure says nothing about the next attempt


@dataclass(frozen=True)
class Standing:
    """How it stands with a backbone's weights: here or not, and by which job they come."""

    here: bool
    job: str | None
    status: str | None

    @property
    def coming(self) -> bool:
        """Whether they are being downloaded."""
        return not self.here and self.status in watch.ACTIVE


def draw(info: BackboneInfo) -> None:
    """Say whether the weights are here, or draw their download, again every second while it goes on."""
    standing, _job = _standing(info)
    fragment(TICK if standing.coming else None)(_part)(info, standing)


def here() -> None:
    """Say that weights are here."""
    # No caption: its paleness takes the green away.
    st.markdown(":small[:green[:material/check_circle: " + _("Its weights are here") + "]]")


def watch_others() -> None:
    """Draw the page again when a download begins or ends, whoever began it. To be called once a page, and always."""
    fragment(IDLE)(_look)(_at_work())


def _look(known: frozenset[str]) -> None:
    if _at_work() != known:
        st.rerun()


def _at_work() -> frozenset[str]:
    return frozenset(job.id for job in jobs.list_jobs() if job.kind == KIND and watch.state_of(job).status in watch.ACTIVE)


def _standing(info: BackboneInfo) -> tuple[Standing, Job | None]:
    job = jobs.find_job(KIND, {"backbone": info.name})
    status = watch.state_of(job).status if job else None
    return Standing(kept_published(info) is not None, job.id if job else None, status), job


def _part(info: BackboneInfo, known: Standing) -> None:
    standing, job = _standing(info)
    if standing != known:
        st.rerun()
    if standing.here:
        here()
    elif job is not None and standing.coming:
        _coming(info, job, watch.state_of(job))
    else:
        failed = job is not None and _failure(watch.state_of(job))
        _offer(info, _("Try again") if failed else _("Download now"))


def _coming(info: BackboneInfo, job: Job, state: RunState) -> None:
    st.progress(progress.share(state), text=_sentence(state))
    if control.requested(job.folder):
        st.caption(_("Cancelling…"))
        return
    st.button(_("Cancel"), icon=":material/close:", key=f"cancel-{info.name}", on_click=_cancel, args=(job,))


def _sentence(state: RunState) -> str:
    told = state.history.progress
    return _("Downloading") + ": " + progress.download(told) if told else _("The download begins")


def _offer(info: BackboneInfo, label: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        size = words.size(info.file_size)
        st.caption(_("Downloaded once when training begins: {size}").format(size=size), width="content")
        st.button(
            label,
            icon=":material/download:",
            key=f"download-{info.name}",
            on_click=_begin,
            args=(info.name,),
            help=_("Gets the weights ahead of the training, for example while there is internet. You can go on meanwhile."),
        )


def _failure(state: RunState) -> bool:
    """Draw what went wrong not long ago, if anything did."""
    recent = state.history.last is not None and time.time() - state.history.last["time"] < _RECENT
    if state.error is None or not recent:
        return False
    show_error(state.error)
    if state.error.code in ("weights-offline", "weights-not-found"):
        st.caption(_("On this page a file that you bring goes in at the bottom: “Use a file with weights of your own”."))
    return True


def _begin(name: str) -> None:
    with guard():
        jobs.begin(KIND, {"backbone": name})


def _cancel(job: Job) -> None:
    with guard():
        jobs.stop(job)

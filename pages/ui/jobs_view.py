"""A job of a page, as it goes: its progress and a stop button while it is at work, and again when that changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from pages.ui import progress, watch
from pages.ui.guard import fragment, guard
from transfer_core.i18n import _
from transfer_core.runs import control, jobs
from transfer_core.runs.jobs import Job
from transfer_core.runs.state import RunState

TICK, IDLE = 1.0, 4.0  # seconds between two looks at a job at work, and at whether somebody began one

Tell = Callable[[RunState], str]


def newest(kind: str, project_folder: Path | None) -> Job | None:
    """The job of this kind that was begun last, whoever began it."""
    return next((job for job in jobs.list_jobs(project_folder) if job.kind == kind), None)


def at_work(job: Job | None) -> bool:
    """Whether it is being done now."""
    return job is not None and watch.state_of(job).status in watch.ACTIVE


def follow(kind: str, project_folder: Path | None, tell: Tell) -> None:
    """Draw the job's progress while it is at work; draw the page again when one begins or ends. To be called always."""
    job = newest(kind, project_folder)
    fragment(TICK if at_work(job) else IDLE)(_part)(kind, project_folder, _known(job), tell)


def _known(job: Job | None) -> tuple[str, str] | None:
    return (job.id, watch.state_of(job).status) if job else None


def _part(kind: str, project_folder: Path | None, known: tuple[str, str] | None, tell: Tell) -> None:
    job = newest(kind, project_folder)
    if _known(job) != known:
        st.rerun()
    if job is None or not at_work(job):
        return
    state = watch.state_of(job)
    st.progress(progress.share(state), text=tell(state))
    if control.requested(job.folder):
        st.caption(_("Stopping…"))
    else:
        st.button(_("Stop"), icon=":material/stop_circle:", key=f"stop-{kind}", on_click=_stop, args=(job,))


def _stop(job: Job) -> None:
    with guard():
        jobs.stop(job)

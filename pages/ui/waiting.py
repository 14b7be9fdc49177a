"""The queue on a page: what is at work, what waits, how long all of it still takes, and the buttons that change the order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from pages.ui import live, progress, watch, words
from pages.ui.guard import fragment, guard
from pages.ui.words import plain
from transfer_core.data.project import Project
from transfer_core.errors import TransferError
from transfer_core.i18n import _
from transfer_core.runs import queue
from transfer_core.runs.folder import Run
from transfer_core.runs.placing import placing
from transfer_core.runs.time_left import queue_left, run_left

BUSY, IDLE = 1.0, 5.0  # seconds between two looks
_REMEMBERED = 20  # seconds for which an estimate by other runs is good

Standing = tuple[tuple[Path, ...], tuple[Path, ...]]  # what is at work, and what waits


def draw(project: Project) -> None:
    """Draw the queue of this computer, and again when something moves in it."""
    standing = _standing(project)
    # Always called, so that a training begun in another tab shows up here too.
    fragment(BUSY if any(standing) else IDLE)(_queue)(project, standing)


def badge(run: Run, status: str) -> None:
    """How a training stands, its place in the queue included."""
    place = queue.place(run)
    if place is None:
        progress.badge(status)
    else:
        st.badge(_("Waiting, place {place}").format(place=place), icon=progress.ICONS["queued"], color="gray")


def _standing(project: Project) -> Standing:
    active = watch.active_run(project.folder)
    at_work = [entry.folder for entry in queue.at_work()]
    if active is not None and active.folder not in at_work:  # begun without the queue
        at_work.append(active.folder)
    return tuple(at_work), tuple(entry.folder for entry in queue.order())


def _queue(project: Project, known: Standing) -> None:
    standing = _standing(project)
    if standing != known:
        st.rerun()
    at_work, waiting = ([Run(folder) for folder in folders] for folders in standing)
    if not at_work and not waiting:
        return
    with st.container(border=True, gap="small", key="queue"):
        st.header(_("Queue"), anchor=False)
        st.caption(_whole([*at_work, *waiting]))
        for run in at_work:
            with guard():
                _working(project, run)
        for number, run in enumerate(waiting):
            with guard():
                _waiting(project, run, number, len(waiting))


def _whole(runs: list[Run]) -> str:
    """How long all of it still takes, for people."""
    left = queue_left((placing(run).device, _left(run)) for run in runs)
    if left is None:
        return _("Time left for the whole queue: not known yet. It goes on when no page is open.")
    return _("About {time} left for the whole queue. It goes on when no page is open.").format(time=words.duration(left))


def _left(run: Run) -> float | None:
    state = watch.state_of(run)
    return run_left(run, state) if state.alive else _usual(str(run.folder), len(state.history.epochs))


# Other runs are looked through for it, and a page asks every second.
@st.cache_data(ttl=_REMEMBERED, max_entries=500, show_spinner=False)
def _usual(folder: str, epochs: int) -> float | None:
    run = Run(folder)
    return run_left(run, watch.state_of(run))


def _working(project: Project, run: Run) -> None:
    state = watch.state_of(run)
    st.markdown(f"**{_name(project, run)}**")
    progress.bar(state, run.planned_epochs)
    st.caption(" · ".join([*live.where(run), _left_words(_left(run))]))
    live.buttons(run, state)


def _waiting(project: Project, run: Run, number: int, count: int) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        left = _left_words(_left(run))
        st.markdown(f"{number + 1}\\. **{_name(project, run)}** · {left}", width="stretch")
        with st.container(horizontal=True, width="content", gap="small"):  # so that they wrap together
            if number > 0:
                _button(run, "front", _("To the front"), lambda: queue.move(run, 0))
                _button(run, "up", _("Up"), lambda: queue.move(run, number - 1))
            if number < count - 1:
                _button(run, "down", _("Down"), lambda: queue.move(run, number + 1))
            _button(run, "cancel", _("Cancel"), lambda: queue.cancel(run))


def _button(run: Run, what: str, label: str, change: Callable[[], None]) -> None:
    help_text = words.one_line(f"{label}: {run.name}")
    st.button(label, key=f"{what}-{run.id}", on_click=_change, args=(change,), help=plain(help_text), type="tertiary")


def _change(change: Callable[[], None]) -> None:
    with guard():
        try:
            change()
        except TransferError as error:
            # It began, or another tab took it out, between the drawing and the press: the page draws that next.
            if error.code != "not-queued":
                raise


def _name(project: Project, run: Run) -> str:
    if run.project_folder == project.folder:
        return plain(run.name)
    return _("{name} (project {project})").format(name=plain(run.name), project=plain(run.project_folder.name))


def _left_words(seconds: float | None) -> str:
    if seconds is None:
        return _("time left: not known yet")
    return _("about {time} left").format(time=words.duration(seconds))

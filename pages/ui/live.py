"""A training as it goes: what is being done, how far it is, its curves, and the buttons to finish or stop it."""

from __future__ import annotations

import time
from collections.abc import Callable

import streamlit as st

from pages.ui import charts, progress, watch, words
from pages.ui.guard import fragment, guard
from pages.ui.words import plain
from transfer_core.i18n import _
from transfer_core.runs import control, launch, queue
from transfer_core.runs.folder import Run
from transfer_core.runs.memory import memory_of
from transfer_core.runs.phases import phase_title
from transfer_core.runs.placing import placing
from transfer_core.runs.state import RunState
from transfer_core.runs.time_left import LONG, run_left

TICK = 1.0  # seconds


def draw(run: Run, state: RunState, waits: bool) -> None:
    """Draw the training, again every second while it is at work or `waits` for its turn.

    Always called, also after the end: a part of a page that draws itself must not come and go.
    """
    moving = waits or state.status in watch.ACTIVE
    fragment(TICK if moving else None)(_live)(run, state.status, waits)


def _live(run: Run, known: str, waited: bool) -> None:
    state, epochs = watch.state_of(run), run.planned_epochs
    if state.status != known or (waited and queue.find(run) is None):
        st.rerun()
    if state.status in watch.ACTIVE:
        progress.bar(state, epochs)
        st.caption(" · ".join([*where(run), *_more_to_come(run, state)]))
        _phases(state)
        buttons(run, state)
    if state.history.epochs and run.settings.plan in ("better", "best"):
        st.caption(
            _(
                "First it is trained without some of the pictures, to see on those whether that helps; then, if it does, it goes on with "
                "all of them. A dotted line shows where the second part begins. Where you set pictures apart for validation, there is "
                "one part."
            )
        )
    # How many epochs better and best have is known by their pictures, and whether there is a second training by how the first one goes.
    charts.curves(state.history.epochs, epochs if run.settings.plan == "custom" else 0, f"curves-{run.id}")
    _notices(state)


def _more_to_come(run: Run, state: RunState) -> list[str]:
    """The time until the model is ready, where more than what is being done now is left."""
    history = state.history
    left = run_left(run, state) if history.phase in LONG else None
    if left is None or left < float((history.progress or {}).get("eta_seconds") or 0) + 5:
        return []
    return [_("about {time} until the model is ready").format(time=words.duration(left))]


def _phases(state: RunState) -> None:
    history = state.history
    begun = sorted(history.phases.items(), key=lambda item: item[1])
    lines = []
    for place, (name, when) in enumerate(begun):
        end = begun[place + 1][1] if place + 1 < len(begun) else time.time()
        icon = ":material/pending:" if name == history.phase else ":material/check:"
        took = f" ({words.duration(end - when)})" if end - when >= 1 else ""
        lines.append(f"{icon} {plain(phase_title(name))}{took}")
    if lines:
        st.caption("  \n".join(lines))


def where(run: Run) -> list[str]:
    """The device with the reason for it, and the memory in use."""
    found = placing(run)
    device = _("Graphics card") if found.device == "cuda" else _("Processor")
    parts = [_("{device}: {reason}").format(device=device, reason=plain(found.reason))]
    memory = memory_of(run, found.device)
    if memory is not None:
        parts.append(_("{size} of memory").format(size=words.size(memory.computer)))
        if memory.card is not None:
            parts.append(_("{size} on the graphics card").format(size=words.size(memory.card)))
    return parts


def buttons(run: Run, state: RunState) -> None:
    """Draw what can be asked of a training at work, or what was asked already."""
    asked, learned = control.requested(run.folder), launch.has_learned(run, state)
    if asked == "stop":
        st.caption(_("Stopping: it ends after the picture it is at. What was learned so far is kept."))
        return
    if asked == "pause":
        st.caption(_("Pausing: it ends after the picture it is at, and goes on from there when you resume it."))
        return
    if asked == "finish":
        st.caption(_("Finishing: training ends here, then the result is tested."))
    with st.container(horizontal=True):
        if learned and asked is None:
            finishing = _("Ends the training here and makes a model of the best so far.")
            _button(run, "finish", _("Finish now"), ":material/flag:", launch.finish, finishing)
        pausing = _("Frees memory and processor for something else. It goes on where it was when you resume it.")
        _button(run, "pause", _("Pause"), ":material/pause_circle:", launch.pause, pausing)
        if asked is None:
            keeping = _("Ends it, and keeps the best so far as a finished model.")
            stopping = keeping if learned else _("Stops without a model. It can be resumed later.")
            _button(run, "stop", _("Stop"), ":material/stop_circle:", launch.stop_and_keep, stopping)
        else:
            leaving = _("Stops without a model. It can be resumed later.")
            _button(run, "stop", _("Stop at once"), ":material/stop_circle:", launch.stop, leaving)


def _button(run: Run, what: str, label: str, icon: str, ask: Callable[[Run], None], explanation: str) -> None:
    key = f"{what}-{run.id}"
    st.button(label, icon=icon, key=key, on_click=_ask, args=(run, ask), help=explanation)


def _ask(run: Run, ask: Callable[[Run], None]) -> None:
    with guard():
        ask(run)


def _notices(state: RunState) -> None:
    for notice in state.history.notices:
        st.info(plain(notice), icon=":material/info:")

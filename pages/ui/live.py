"""A training as it goes: what is being done, how far it is, its curves, and the buttons to finish or stop it."""

from __future__ import annotations

import time

import streamlit as st

from pages.ui import charts, progress, watch, words
from pages.ui.guard import fragment, guard
from pages.ui.words import plain
from transfer_core.i18n import _
from transfer_core.runs import control, launch
from transfer_core.runs.folder import Run
from transfer_core.runs.phases import phase_title
from transfer_core.runs.state import RunState

TICK = 1.0  # seconds


def draw(run: Run, state: RunState, epochs: int) -> None:
    """Draw the training, `epochs` of it planned (0: a plan that has none), again every second while it is at work.

    Always called, also after the end: a part of a page that draws itself must not come and go.
    """
    at_work = state.status in watch.ACTIVE
    fragment(TICK if at_work else None)(_live)(run, state.status, epochs)


def _live(run: Run, known: str, epochs: int) -> None:
    state = watch.state_of(run)
    if state.status != known:
        st.rerun()
    if state.status in watch.ACTIVE:
        progress.bar(state, epochs)
        _phases(state)
        _buttons(run, epochs > 0 and bool(state.history.epochs))
    charts.curves(state.history.epochs, epochs, f"curves-{run.id}")
    _notices(state)


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


def _buttons(run: Run, can_finish: bool) -> None:
    asked = control.requested(run.folder)
    if asked == "stop":
        st.caption(_("Stopping: it ends after the picture it is at. What was learned so far is kept."))
        return
    if asked == "finish":
        st.caption(_("Finishing: this epoch is the last one, then the result is tested."))
    with st.container(horizontal=True):
        if can_finish and asked is None:
            st.button(
                _("Finish now"),
                icon=":material/flag:",
                key="finish",
                on_click=_ask,
                args=(run, "finish"),
                help=_("Ends after this epoch and makes a model of the best one so far."),
            )
        st.button(
            _("Stop"),
            icon=":material/stop_circle:",
            key="stop",
            on_click=_ask,
            args=(run, "stop"),
            help=_("Stops without a model. It can be resumed later."),
        )


def _ask(run: Run, what: control.Request) -> None:
    with guard():
        launch.stop(run) if what == "stop" else launch.finish(run)


def _notices(state: RunState) -> None:
    for notice in state.history.notices:
        st.info(plain(notice), icon=":material/info:")

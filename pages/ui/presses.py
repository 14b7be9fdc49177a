"""What somebody presses or changes is done, also where the next press comes before the page is drawn, and the page is drawn to its end.

Streamlit (1.67) breaks a drawing off for the next one, and what the first was to do is lost: a callback ends at its first look at the
session's state, and a press of a button is forgotten before the button is drawn. The new value of a widget counts as told all the
same, so its callback is not called again. With `runner.fastReruns`, which `.streamlit/config.toml` turns off, the next drawing would
even begin beside the first. How much was lost: docs/decisions/2026-11-29-presses.md.

A press is carried out once: Streamlit's page tells of one twice where a timer of the page is due as the button is pressed.

While a page is drawn, Streamlit shows a “Stop” of its own at the top. It ends the drawing, whatever is at work: what is left is half a
page, or an empty one, that never changes again. `frame` hides it, and nobody is listened to who asks for it all the same.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from streamlit.delta_generator_singletons import context_dg_stack, get_default_dg_stack_value
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.WidgetStates_pb2 import WidgetStates
from streamlit.runtime.app_session import AppSession
from streamlit.runtime.scriptrunner import RerunData, RerunException, ScriptRunner, get_script_run_ctx
from streamlit.runtime.scriptrunner_utils.script_requests import ScriptRequestType, _has_active_trigger_value
from streamlit.runtime.state import SafeSessionState

_HELD = "requests that wait for the drawing"  # of the browser's; those of the page itself (`st.rerun`) never wait
_lock = threading.Lock()
_request, _begin, _executing = ScriptRunner.request_rerun, SafeSessionState.on_script_will_rerun, ScriptRunner._set_execing_flag
_ask = AppSession.request_rerun


def keep_all() -> None:
    """From now on the browser's next request waits for the callbacks of the one before, and where a button was pressed, for the page.

    And the browser can't have a drawing stopped.
    """
    cast(Any, ScriptRunner).request_rerun = _hold_or_request
    cast(Any, SafeSessionState).on_script_will_rerun = _begin_undisturbed
    cast(Any, ScriptRunner)._set_execing_flag = _executing_to_the_end
    cast(Any, AppSession).request_rerun = _ask_without_presses
    cast(Any, AppSession)._handle_stop_script_request = _go_on


def _go_on(session: AppSession) -> None:
    """A connection that is lost, and a session that ends, still stop their drawing: they don't ask in this way."""


def _ask_without_presses(session: AppSession, client: ClientState | None) -> None:
    """What a timer's request tells of presses is left out: each has a request of its own, which follows."""
    if client is not None and client.is_auto_rerun:
        widgets = client.widget_states.widgets
        for place in reversed(range(len(widgets))):
            if _has_active_trigger_value(widgets[place]):
                del widgets[place]
    _ask(session, client)


def _hold_or_request(runner: ScriptRunner, data: RerunData) -> bool:
    with _lock:
        held: list[RerunData] | None = vars(runner).get(_HELD)
        # One that was told to stop, because the connection was lost, says so: another begins.
        if held is None or runner._requests._state is ScriptRequestType.STOP:
            return _request(runner, data)
        held.append(data)
        return True


def _begin_undisturbed(state: SafeSessionState, told: WidgetStates | None, **options: Any) -> None:
    runner = cast(Any, state._yield_callback).__self__  # whose method is called wherever a drawing may be broken off
    with _lock:
        before = runner._requests.on_scriptrunner_yield()
        vars(runner)[_HELD] = [before.rerun_data] if before and before.type is ScriptRequestType.RERUN else []
    # Without fast reruns, a page that follows a fragment in the same thread would be drawn into the fragment's place.
    context_dg_stack.set(get_default_dg_stack_value())
    _begin(state, told, **options)
    if not any(map(_has_active_trigger_value, told.widgets if told else ())):
        _let_go(runner)


@contextmanager
def _executing_to_the_end(runner: ScriptRunner) -> Iterator[None]:
    """Around the callbacks of a drawing and the page's code."""
    try:
        with _executing(runner):
            yield
    except RerunException as asked:
        raise _with_held(runner, asked) from None
    finally:
        _let_go(runner)


def _with_held(runner: ScriptRunner, asked: RerunException) -> RerunException:
    """What the page asked for and what waited, in one: of several the last one's page is drawn, so those for another page come last."""
    context = get_script_run_ctx()
    here = context.page_script_hash if context else ""
    with _lock:
        held = vars(runner).pop(_HELD, ())
        if not held:
            return asked
        for data in sorted((*held, asked.rerun_data), key=lambda data: data.page_script_hash != here):
            _request(runner, data)
        together = runner._requests.on_scriptrunner_yield()
    return RerunException(together.rerun_data) if together and together.type is ScriptRequestType.RERUN else asked


def _let_go(runner: ScriptRunner) -> None:
    with _lock:
        for data in vars(runner).pop(_HELD, ()):
            _request(runner, data)

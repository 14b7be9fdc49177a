"""What somebody presses or changes is done, also where the next press comes before the page is drawn.

Streamlit (1.67) breaks a drawing off for the next one, and what the first was to do is lost: a callback ends at its first look at the
session's state, and a press of a button is forgotten before the button is drawn. The new value of a widget counts as told all the
same, so its callback is not called again. With `runner.fastReruns`, which `.streamlit/config.toml` turns off, the next drawing would
even begin beside the first. How much was lost: docs/decisions/2026-11-29-presses.md.
"""

from __future__ import annotations

import functools
from typing import Any, cast

from streamlit.delta_generator_singletons import context_dg_stack, get_default_dg_stack_value
from streamlit.proto.WidgetStates_pb2 import WidgetStates
from streamlit.runtime.scriptrunner import ScriptRunner
from streamlit.runtime.scriptrunner_utils.script_requests import _has_active_trigger_value
from streamlit.runtime.state import SafeSessionState


def keep_all() -> None:
    """From now on a drawing is broken off only when its callbacks have ended, and one for a press of a button is drawn to its end."""
    original = SafeSessionState.on_script_will_rerun
    if hasattr(original, "__wrapped__"):
        return

    @functools.wraps(original)
    def undisturbed(state: SafeSessionState, told: WidgetStates | None, **options: Any) -> None:
        # Whose method is called wherever a drawing may be broken off; it is only while the runner says that it executes a page.
        runner = cast(Any, state._yield_callback).__self__
        assert isinstance(runner, ScriptRunner)
        # Without fast reruns, a page that follows a fragment in the same thread would be drawn into the fragment's place.
        context_dg_stack.set(get_default_dg_stack_value())
        runner._execing = False
        original(state, told, **options)
        runner._execing = not any(map(_has_active_trigger_value, told.widgets if told else ()))

    cast(Any, SafeSessionState).on_script_will_rerun = undisturbed

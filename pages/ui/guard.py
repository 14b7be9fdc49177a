"""What happens when something goes wrong on a page: people get a sentence and a way out, the log gets the traceback."""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.scriptrunner_utils.script_run_context import RunLocation, ThreadState

from pages.ui import preferences
from pages.ui.words import plain
from transfer_core.errors import TransferError
from transfer_core.i18n import _

LOG = logging.getLogger("transfer_studio.pages")
_KEPT, _SAID = "what went wrong in callbacks", "what was said of that, where and when"
_LONG = 10.0  # seconds that it is said again: a page may draw itself anew at once


@contextmanager
def guard() -> Iterator[None]:
    """Turn what goes wrong inside into a sentence; the traceback of what nobody foresaw goes to the log.

    What goes wrong in a callback is said at the top of the page that is drawn next.
    """
    # Callbacks and fragments run without the top of the page, in threads that know nothing of its language.
    preferences.speak()
    try:
        yield
    except TransferError as error:
        _say(error)
    except Exception:
        LOG.exception("a page failed")
        _say(
            TransferError(
                _("Something went wrong that this program did not foresee."),
                fix=_("Reload the page. If it happens again, the log named on the Settings page has the details."),
            )
        )


def fragment(every: float | None = None) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A part of a page that runs again by itself every so many seconds, in the page's language and guarded."""

    def decorate(draw: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(draw)
        def guarded(*arguments: Any, **named: Any) -> None:
            with guard():
                if st.session_state.get(_KEPT):
                    st.rerun()  # the whole page, to say it
                draw(*arguments, **named)

        return st.fragment(guarded, run_every=every)

    return decorate


def _say(error: TransferError) -> None:
    # What a callback draws while only a part of the page is drawn anew takes the place of the whole page; and where that part follows, the
    # browser shows nothing from then on.
    if get_script_run_ctx(suppress_warning=True) and ThreadState.get().run_location is RunLocation.CALLBACK:
        st.session_state.setdefault(_KEPT, []).append(error)
    else:
        show_error(error)


def take_kept(page: str) -> list[TransferError]:
    """What went wrong in callbacks and was not said yet, or on this page just now."""
    now = time.monotonic()
    said = [each for each in st.session_state.get(_SAID, ()) if each[1] == page and now - each[2] < _LONG]
    # In this order: a drawing that is broken off between the two has it said twice, and not never.
    st.session_state[_SAID] = said + [(error, page, now) for error in st.session_state.get(_KEPT, ())]
    st.session_state.pop(_KEPT, None)
    return [error for error, _page, _when in st.session_state[_SAID]]


def show_error(error: TransferError) -> None:
    """A problem as people can read it: what was wrong, then what to do."""
    st.error(_sentences(error), icon=":material/error:")


def show_warning(error: TransferError) -> None:
    """A problem that leaves the rest of the page usable."""
    st.warning(_sentences(error), icon=":material/warning:")


def _sentences(error: TransferError) -> str:
    return "\n\n".join(plain(part) for part in (error.message, error.fix) if part)

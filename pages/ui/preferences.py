"""The language of the pages: the address's, the saved one, or the browser's."""

from __future__ import annotations

import os

import streamlit as st

from transfer_core import i18n, preferences
from transfer_core.web import access

PARAMETER = "lang"
_KEY = "language"


def save_language(code: str) -> None:
    """Keep `code` for all browsers, and for this page from now on; raises StorageError.

    While the pages are shared, each browser has its own, in the address: nobody chooses for the others.
    """
    if access.current().shared:
        st.query_params[PARAMETER] = code
    else:
        preferences.change(language=code)
        st.query_params.pop(PARAMETER, None)
    st.session_state[_KEY] = code
    i18n.set_language(code)


def choose_language() -> None:
    """Speak the language of the address, else the saved one, else the environment's, else the browser's."""
    asked = st.query_params.get(PARAMETER)
    st.session_state[_KEY] = asked if asked in i18n.LANGUAGES else _without_address()
    speak()


def speak() -> None:
    """Go on in the page's language: a fragment that runs by itself does so in another thread."""
    i18n.set_language(st.session_state.get(_KEY))


def _without_address() -> str | None:
    saved = preferences.read().get("language")
    if saved in i18n.LANGUAGES:
        return str(saved)
    if os.environ.get(i18n.VARIABLE) in i18n.LANGUAGES:
        return os.environ[i18n.VARIABLE]
    return "zh_CN" if (st.context.locale or "").lower().startswith("zh") else None

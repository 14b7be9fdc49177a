"""What the user prefers, on disk: for now the language."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import streamlit as st

from transfer_core import i18n
from transfer_core.errors import TransferError
from transfer_core.files import read_json, write_json
from transfer_core.places import own_folder

PARAMETER = "lang"
_KEY = "language"


def settings_file() -> Path:
    """Where preferences are kept."""
    return own_folder("settings") / "settings.json"


def read() -> dict[str, Any]:
    """The preferences; none when the file is missing or damaged."""
    try:
        saved = read_json(settings_file())
    except TransferError:
        return {}
    return saved if isinstance(saved, dict) else {}


def save_language(code: str) -> None:
    """Keep `code` for all browsers, and for this page from now on; raises StorageError."""
    write_json(settings_file(), read() | {"language": code})
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
    saved = read().get("language")
    if saved in i18n.LANGUAGES:
        return str(saved)
    if os.environ.get(i18n.VARIABLE) in i18n.LANGUAGES:
        return os.environ[i18n.VARIABLE]
    return "zh_CN" if (st.context.locale or "").lower().startswith("zh") else None

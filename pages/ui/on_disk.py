"""Widgets that show what is on disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

_LEFT = "widgets that others took the place of"  # by what they show: the value of each when it was left, by its key


def bound(name: str, value: Any, save: Callable[[Any], None], /, **first: Any) -> dict[str, Any]:
    """What ties a widget to what is on disk: it shows `value`; what somebody changes it to is saved before the page is drawn again.

    `first` is the widget's own way to be told a value, `value`, `index` or `default`; it counts when the widget is drawn first. Where
    the value is changed in another way, another widget takes its place, with a key of its own: the browser tells the state of all
    widgets with each press, and what it tells before it has heard of the new value looks as if somebody had changed it back.
    """
    left: dict[str, Any] = st.session_state.setdefault(_LEFT, {}).setdefault(name, {})
    key = _key(name, len(left))
    if key in st.session_state and st.session_state[key] != value:
        left[key] = st.session_state[key]
        key = _key(name, len(left))
    if not first and value is not None:
        # A field that can be empty is empty at first. Each time, because a drawing that is broken off may never reach the browser.
        st.session_state[key] = value
    return first | {"key": key, "on_change": _changed, "args": (left, key, save)}


def _key(name: str, number: int) -> str:
    return f"{name} {number}" if number else name


def _changed(left: dict[str, Any], key: str, save: Callable[[Any], None]) -> None:
    value = st.session_state[key]
    if key not in left or value != left[key]:
        save(value)

"""Widgets that show what is on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

_SHOWN = "widgets that show what is on disk"  # by what they show


@dataclass
class _Shown:
    """What is known of the widgets that have shown one thing, one after the other."""

    number: int = 0  # of the one that does now
    known: dict[str, Any] = field(default_factory=dict)  # by key: the value that it had when it was drawn or changed
    changed: set[str] = field(default_factory=set)  # those that somebody changed
    labels: Sequence[str] = ()

    def key(self, name: str) -> str:
        return f"{name} {self.number}" if self.number else name


def bound(name: str, value: Any, save: Callable[[Any], None], /, labels: Sequence[str] = (), **first: Any) -> dict[str, Any]:
    """What ties a widget to what is on disk: it shows `value`; what somebody changes it to is saved before the page is drawn again.

    `first` is the widget's own way to be told a value, `value`, `index` or `default`; it counts when the widget is drawn first. A
    field that can be empty is empty at first and has none. `labels` are those of a select box: to the browser they are the values.

    Where the value is changed in another way, or the labels are, another widget takes its place, with a key of its own: the browser
    tells the state of all widgets with each press, and what it tells before it has heard of the new value looks as if somebody had
    changed it back.
    """
    shown: _Shown = st.session_state.setdefault(_SHOWN, {}).setdefault(name, _Shown())
    key = shown.key(name)
    if key not in st.session_state:
        shown.changed.discard(key)
    elif st.session_state[key] != value or shown.labels != labels:
        shown.number += 1
        key = shown.key(name)
    shown.labels = labels
    shown.known[key] = value
    if not first and value is not None and key not in shown.changed:
        # Each time, because a drawing that is broken off may never reach the browser.
        st.session_state[key] = value
    return first | {"key": key, "on_change": _changed, "args": (shown, key, save)}


def _changed(shown: _Shown, key: str, save: Callable[[Any], None]) -> None:
    value = st.session_state[key]
    if value != shown.known[key]:
        shown.known[key] = value
        shown.changed.add(key)
        save(value)

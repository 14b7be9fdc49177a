"""Files that are made when somebody asks for them, and stay until the browser has had time to fetch them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import streamlit as st
from streamlit import runtime
from streamlit.runtime.media_file_storage import MediaFileKind

_SECONDS = 120.0  # from the press until the browser asks, at most
_HOLDER = "handed over"  # stands for a session: what a session refers to is not deleted


def button(label: str, make: Callable[[], bytes], file_name: str, mime: str, **options: Any) -> None:
    """A button that downloads what `make` gives; the page is not drawn anew by it.

    Streamlit deletes such a file once any two drawings, of whichever browsers, have ended since (1.67,
    `MediaFileManager.remove_orphaned_files`): while others watch a training, before it could be fetched.
    """

    def made() -> bytes:
        data = make()
        _hold(data, file_name, mime)
        return data

    st.download_button(label, data=made, file_name=file_name, mime=mime, icon=":material/download:", on_click="ignore", **options)


def _hold(data: bytes, file_name: str, mime: str) -> None:
    """Refer to the file for a while; its name in the storage follows from what is in it."""
    manager = runtime.get_instance().media_file_mgr
    with manager._lock:
        name = manager._storage.load_and_get_id(data, mime, MediaFileKind.DOWNLOADABLE, file_name)
        held = manager._files_by_session_and_coord[_HOLDER]
        held[name] = name

    def let_go() -> None:
        with manager._lock:
            held.pop(name, None)

    timer = threading.Timer(_SECONDS, let_go)
    timer.daemon = True
    timer.start()

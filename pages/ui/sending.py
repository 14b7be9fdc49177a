"""What our components need to send pictures to this server: its routes, its token, and the sentences for what goes wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

from transfer_core import i18n
from transfer_core.i18n import _
from transfer_core.web import access
from transfer_core.web.uploads import PREFIX

_HERE = Path(__file__).parent

Component = Callable[..., Any]


def component(name: str) -> Component:
    """The component whose page, looks and script lie beside this file under `name`, with what sends pictures in front of its own."""
    html, css, script = (_read(f"{name}{ending}") for ending in (".html", ".css", ".js"))
    return st.components.v2.component(
        f"transfer_studio_{name}", html=html, css=f"{_read('sending.css')}\n{css}", js=f"{_read('sending.js')}\n{script}"
    )


def server() -> dict[str, str]:
    """What a page needs to know of the server."""
    return {"prefix": PREFIX, "token": access.current().token, "language": i18n.language()}


def words() -> dict[str, str]:
    """The sentences of sending.js."""
    return {
        "refused": _("The server refused it. Reload the page, and try again."),
        "unreachable": _("Transfer Studio can't be reached any more. Reload the page, and choose the same again to go on."),
        "unreadable": _("The browser can't read this file any more: was it moved, changed or deleted?"),
    }


def _read(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")

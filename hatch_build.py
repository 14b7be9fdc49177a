"""Puts the app, its pages and its configuration inside the package of a wheel.

A checkout runs them from where they lie, so an editable install gets no second copy that would grow stale.
"""

from __future__ import annotations

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class AppInsidePackage(BuildHookInterface):  # type: ignore[type-arg]
    """`app.py`, `server.py`, `pages/` and `.streamlit/` become `transfer_core/_app/`."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "standard":
            parts = ("app.py", "server.py", "pages", ".streamlit")
            build_data["force_include"] |= {name: f"transfer_core/_app/{name}" for name in parts}

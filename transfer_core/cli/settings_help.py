"""Every setting that `--set` takes, by group, drawn from the settings themselves."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator
from typing import Any, get_args

from transfer_core.i18n import _

NARROWEST = 40  # columns


def settings_help() -> str:
    """The settings with what they take, their default and what they mean, as wide as the terminal."""
    from transfer_core.training.setting_facts import group_title
    from transfer_core.training.settings import Group, fields_of

    lines = [_("settings for --set key=value, and for the file of --config (in parentheses: the default):")]
    for group in get_args(Group):
        lines += ["", f"{group_title(group)}:"]
        for name in fields_of(group):
            lines += _setting(name)
    return "\n".join(lines) + "\n"


def _setting(name: str) -> Iterator[str]:
    from transfer_core.training.setting_facts import facts
    from transfer_core.training.settings import RunSettings

    about, width = facts(name), max(NARROWEST, shutil.get_terminal_size().columns - 2)
    yield f"  {name}={about.allowed}" + (f" ({_as_toml(about.default)})" if about.default is not None else "")
    yield from textwrap.wrap(
        _(RunSettings.model_fields[name].description or ""), width, initial_indent="      ", subsequent_indent="      "
    )


def _as_toml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)

"""What the commands' parsers have in common."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from transfer_core.i18n import _

Commands = Any  # argparse keeps the type of what add_subparsers() gives to itself


def add_command(
    commands: Commands, name: str, summary: str, example: str, json: bool = True, more: Callable[[], str] | None = None
) -> argparse.ArgumentParser:
    """A command with its summary, an example and, unless it has no answer, `--json`; `more` makes what its help says beside."""
    example = _("Example: {command}").format(command=f"transfer-studio {example}")
    parser: argparse.ArgumentParser = commands.add_parser(name, help=summary, description=summary, epilog=example, more=more)
    if json:
        parser.add_argument("--json", action="store_true", help=_("print the answer as one line of JSON"))
    return parser

"""What can be given to `transfer-studio`, command by command."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, NoReturn

from transfer_core import __version__
from transfer_core.cli import app, backbones, check, doctor, evaluate, predict, projects, runs, train, weights
from transfer_core.errors import TransferError
from transfer_core.i18n import _

PROGRAM = "transfer-studio"


class Parser(argparse.ArgumentParser):
    """A parser whose errors are ours, so that they are told like any other."""

    def __init__(self, more: Callable[[], str] | None = None, **options: Any):
        self._more = more  # what the help says after the rest, made only when it is asked for
        # A shortened option would change its meaning as soon as a longer one is added.
        super().__init__(allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **options)

    def format_help(self) -> str:
        """The help, with what the command has to say beside its arguments."""
        return super().format_help() + (f"\n{self._more()}" if self._more else "")

    def error(self, message: str) -> NoReturn:
        """Raise what is wrong with the command line."""
        raise TransferError(
            _("This command can't be understood: {reason}.").format(reason=message),
            code="usage",
            fix=_("See: {command} --help").format(command=self.prog),
        )


def build_parser() -> Parser:
    """The parser of the whole command line; the chosen command is `options.run_command(options) -> int`."""
    parser = Parser(
        prog=PROGRAM,
        description=_("Open a folder of labelled photographs, get an image classifier you can trust, and keep it."),
        epilog=_("Example: {command}").format(command=f"{PROGRAM} train flowers"),
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}", help=_("print the version"))
    commands = parser.add_subparsers(title=_("commands"), metavar=_("COMMAND"), required=True)
    for module in (app, check, train, predict, evaluate, backbones, weights, runs, projects, doctor):
        module.add(commands)
    return parser

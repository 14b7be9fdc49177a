"""The command `transfer-studio`. What takes long to import is imported by the command that needs it."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence

from transfer_core.cli import output
from transfer_core.cli.parser import build_parser
from transfer_core.errors import TransferError, storage_error
from transfer_core.i18n import _


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out a command; gives 0, or 2 when it failed."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    as_json = "--json" in arguments
    output.never_fail_on_a_character()
    try:
        try:
            return _carry_out(arguments)
        except TransferError as error:
            output.error(error, as_json)
        except output.OutputClosed:
            raise
        except KeyboardInterrupt:
            output.error(TransferError(_("Interrupted."), code="interrupted"), as_json)
        except OSError as error:
            output.error(storage_error(error, error.filename or "?"), as_json)
        except Exception as error:
            output.error(_unexpected(error), as_json)
    except output.OutputClosed:
        # Whoever read our output has gone; the interpreter must not try to flush to it again on its way out.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 2


def _carry_out(arguments: list[str]) -> int:
    parser = build_parser()
    if not arguments:
        output.line(parser.format_help())
        return 0
    try:
        options = parser.parse_args(arguments)
    except SystemExit as end:  # after --help and --version
        return int(end.code or 0)
    code: int = options.run_command(options)
    output.flush()
    return code


def _unexpected(error: Exception) -> TransferError:
    from transfer_core.files import write_text
    from transfer_core.places import own_folder

    details = "".join(traceback.format_exception(error))
    try:
        file = own_folder("log") / "last-error.txt"
        write_text(file, details)
        fix = _("The details are in {file}.").format(file=file)
    except (OSError, TransferError):
        print(details, file=sys.stderr)
        file, fix = None, None
    return TransferError(_("Something went wrong that this program did not expect."), code="internal", file=file, fix=fix)

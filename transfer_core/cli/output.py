"""What a command prints: answers on standard output, everything else for people on standard error."""

from __future__ import annotations

import json
import sys
import time
from contextlib import suppress
from types import TracebackType
from typing import Any

from transfer_core.errors import TransferError
from transfer_core.i18n import _, ngettext


class OutputClosed(Exception):
    """Whoever read our output has gone, as `| head` does."""


def line(text: str) -> None:
    """One line of the answer."""
    try:
        print(text, flush=sys.stdout.isatty())
    except BrokenPipeError as error:
        raise OutputClosed from error


def flush() -> None:
    """Send what was printed on its way, while it can still be told that nobody takes it."""
    try:
        sys.stdout.flush()
    except BrokenPipeError as error:
        raise OutputClosed from error


def say(text: str) -> None:
    """One line for people."""
    with suppress(BrokenPipeError):  # nobody watches; that is no reason to stop
        print(text, file=sys.stderr, flush=True)


def answer(data: Any) -> None:
    """The answer of `--json`: one line. ASCII, so that no terminal or name can break it."""
    line(json.dumps(data))
    flush()


def error(problem: TransferError, as_json: bool) -> None:
    """Tell of an error: as data where data was asked for."""
    if as_json:
        answer({"error": problem.as_data()})
    else:
        say(shown(str(problem)))


class AnswerList:
    """A list as one line of JSON, printed item by item, so that memory does not grow with it."""

    def __init__(self) -> None:
        self._separator = "["

    def __enter__(self) -> AnswerList:
        return self

    def add(self, item: Any) -> None:
        """Print one item."""
        self._write(self._separator + json.dumps(item))
        self._separator = ", "

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        # What fails in the middle leaves an unfinished line, and its error follows on a line of its own.
        if kind is None:
            self._write("[]\n" if self._separator == "[" else "]\n")
        elif self._separator != "[" and kind is not OutputClosed:
            self._write("\n")

    def _write(self, text: str) -> None:
        try:
            sys.stdout.write(text)
        except BrokenPipeError as error:
            raise OutputClosed from error


def never_fail_on_a_character() -> None:
    """Escape what a terminal or file of another encoding can't show."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def shown(text: object) -> str:
    """`text` for a terminal: a file may be named after a command that clears it, and then that is all it is, a name."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in str(text))


def percent(share: float) -> str:
    """A share of 1 as a percentage."""
    return f"{100 * share:.1f} %"


def score(data: dict[str, Any]) -> str:
    """A score with its uncertainty, as a sentence's part."""
    return ngettext(
        "{accuracy} right (between {low} and {high}, on {count} picture)",
        "{accuracy} right (between {low} and {high}, on {count} pictures)",
        data["count"],
    ).format(accuracy=percent(data["accuracy"]), low=percent(data["low"]), high=percent(data["high"]), count=data["count"])


def duration(seconds: float) -> str:
    """A time span, as exact as people need it."""
    if seconds < 60:
        return _("{seconds} s").format(seconds=f"{seconds:.0f}" if seconds >= 10 else f"{seconds:.1f}")
    minutes = round(seconds / 60)
    if minutes < 60:
        return _("{minutes} min").format(minutes=minutes)
    return _("{hours} h {minutes} min").format(hours=minutes // 60, minutes=minutes % 60)


def date(seconds: float) -> str:
    """A point in time (epoch seconds) on this computer's clock."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


def size(count: float) -> str:
    """A number of bytes in GB."""
    return f"{count / 1024**3:.1f} GB"


def megabytes(count: float) -> str:
    """A number of bytes in MB, as download pages count them."""
    return f"{count / 1e6:.0f} MB" if count >= 1e7 else f"{count / 1e6:.1f} MB"


def table(rows: list[list[str]]) -> None:
    """Rows in columns, the first row their titles."""
    cells = [[shown(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    for row in cells:
        line("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())

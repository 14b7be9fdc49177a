"""One line of a terminal that says how far something is, written over again and again; nothing where nobody watches."""

from __future__ import annotations

import sys

from transfer_core.cli import output

WIDTH = 79


class LiveLine:
    """The line. `close` wipes it."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()

    def show(self, text: str) -> None:
        """Have it say `text`."""
        if self._terminal:
            sys.stderr.write("\r" + output.shown(text)[:WIDTH].ljust(WIDTH))
            sys.stderr.flush()

    def close(self) -> None:
        """Leave nothing of it."""
        if self._terminal:
            sys.stderr.write("\r" + " " * WIDTH + "\r")
            sys.stderr.flush()

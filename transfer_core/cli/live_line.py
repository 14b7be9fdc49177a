"""One line of a terminal that says how far something is, written over again and again; nothing where nobody watches."""

from __future__ import annotations

import sys
import time

from transfer_core.cli import output

WIDTH = 79
INTERVAL = 0.1  # seconds between two drawings: a set may have a hundred thousand files


class LiveLine:
    """The line. `close` wipes it."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._shown_at = float("-inf")

    def show(self, text: str) -> None:
        """Have it say `text`."""
        if self._terminal and time.monotonic() - self._shown_at >= INTERVAL:
            self._shown_at = time.monotonic()
            sys.stderr.write("\r" + output.shown(text)[:WIDTH].ljust(WIDTH))
            sys.stderr.flush()

    def close(self) -> None:
        """Leave nothing of it."""
        if self._terminal:
            sys.stderr.write("\r" + " " * WIDTH + "\r")
            sys.stderr.flush()

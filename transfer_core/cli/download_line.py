"""How a download goes, on one line of a terminal that is written over; into a file nothing is written."""

from __future__ import annotations

import math
import time
from collections import deque
from typing import TextIO

from transfer_core.cli import output
from transfer_core.i18n import _

WIDTH = 79
INTERVAL = 0.2  # seconds between two drawings
WINDOW = 10.0  # seconds that the speed is an average of


class DownloadLine:
    """A `Progress`: call it with bytes done and in all."""

    def __init__(self, name: str, stream: TextIO):
        self._name = name
        self._stream = stream
        self._terminal = stream.isatty()
        self._seen: deque[tuple[float, int]] = deque()
        self._drawn_at = float("-inf")

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if not self._terminal or (now - self._drawn_at < INTERVAL and done != total):
            return
        if self._seen and done < self._seen[-1][1]:  # it began again
            self._seen.clear()
        self._seen.append((now, done))
        while self._seen[0][0] < now - WINDOW:
            self._seen.popleft()
        self._drawn_at = now
        self._stream.write("\r" + describe(self._name, done, total, self._speed())[:WIDTH].ljust(WIDTH))
        self._stream.flush()

    def close(self) -> None:
        """Wipe the line."""
        if math.isfinite(self._drawn_at):
            self._stream.write("\r" + " " * WIDTH + "\r")
            self._stream.flush()

    def _speed(self) -> float:
        """Bytes a second of this connection; 0 where nothing can be said yet."""
        (started, first), (now, done) = self._seen[0], self._seen[-1]
        return (done - first) / (now - started) if now > started else 0.0


def describe(name: str, done: int, total: int, speed: float) -> str:
    """One line: how much is here, how fast the rest comes, and how long it takes. `speed` is in bytes a second, 0 for unknown."""
    if not total:
        text = f"{name}: {output.megabytes(done)}"
    elif done >= total:
        return _("{name}: all here, being checked").format(name=name)
    else:
        text = _("{name}: {done} of {total}").format(name=name, done=output.megabytes(done), total=output.megabytes(total))
    if speed > 0:
        text += _(", {speed} a second").format(speed=output.megabytes(speed))
        if total:
            text += _(", {time} left").format(time=output.duration((total - done) / speed))
    return text

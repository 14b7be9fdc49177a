"""Phases with their time, and progress with the time left."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from transfer_core.i18n import _
from transfer_core.training.context import Context

DOWNLOAD = "weights"  # the phase whose pieces are bytes


@dataclass
class Clock:
    """Seconds by phase; what is not part of a run's work (imports, the making of a graph) is told apart by its phase."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def phase(self, context: Context, name: str) -> Iterator[Callable[[int, int], None]]:
        """Announce phase `name`, time it, and give a `progress(done, total)` that announces how far it is."""
        context.stop_if_asked()
        context.emit("phase", name=name)
        start = time.perf_counter()
        first: list[float] = []

        def progress(done: int, total: int) -> None:
            now = time.perf_counter()
            if not first:
                # A resumed phase begins far on: its speed is that of what it did itself.
                first.extend((done, now) if context.resumed else (0, start))
            passed = now - first[1]
            rate = (done - first[0]) / passed if done > first[0] and passed > 0 else None
            speed = {"bytes_per_second" if name == DOWNLOAD else "images_per_second": round(rate, 2) if rate else None}
            context.emit(
                "progress",
                done=done,
                total=total,
                eta_seconds=round((total - done) / rate, 1) if rate and total else None,
                **speed,
            )

        try:
            yield progress
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


def duration(seconds: float) -> str:
    """A time, for people: seconds, or minutes from one and a half on."""
    if seconds < 90:
        return _("{count} s").format(count=round(seconds))
    return _("{count} min").format(count=round(seconds / 60))

"""What jobs do: long work that is not a training, one function a kind."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from transfer_core.backbones.weights import fetch

if TYPE_CHECKING:
    from transfer_core.training.context import Emit

    ShouldStop = Callable[[], bool]
    Kind = Callable[[dict[str, Any], Emit, ShouldStop], dict[str, Any]]


def fetch_weights(arguments: dict[str, Any], emit: Emit, should_stop: ShouldStop) -> dict[str, Any]:
    """Download the weights of `arguments["backbone"]`; raises WeightsError, with the code `stopped` when it was asked to stop."""
    emit("phase", name="weights")
    pace = Pace()

    def progress(done: int, total: int) -> None:
        speed = pace.speed(done)
        emit(
            "progress",
            done=done,
            total=total,
            bytes_per_second=round(speed) if speed else None,
            eta_seconds=round((total - done) / speed, 1) if speed and total else None,
        )

    kept = fetch(str(arguments["backbone"]), progress, should_stop)
    return {"backbone": kept.backbone, "digest": kept.digest, "source": kept.source, "file": str(kept.file)}


# A kind is given the job's arguments, its `emit`, and what says that it was asked to stop; it returns the job's report.
KINDS: dict[str, Kind] = {
    "fetch": fetch_weights,
}


class Pace:
    """The speed of something that is counted, over the last seconds: a line that slows down is seen to."""

    WINDOW = 5.0  # seconds

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def speed(self, done: int, now: float | None = None) -> float | None:
        """Pieces a second, now that `done` are there; None while it is not known."""
        now = time.monotonic() if now is None else now
        self._seen.append((now, done))
        while len(self._seen) > 2 and self._seen[1][0] < now - self.WINDOW:
            self._seen.popleft()
        start, before = self._seen[0]
        return (done - before) / (now - start) if now > start and done > before else None

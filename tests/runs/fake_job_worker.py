"""A job's process whose work is a stand-in: what it does is said by its `what`; weights are fetched as if published under another name."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any

from transfer_core.backbones import weights
from transfer_core.backbones.published import Published
from transfer_core.errors import WeightsError
from transfer_core.runs import job_worker
from transfer_core.runs.job_kinds import KINDS, fetch_weights

if TYPE_CHECKING:
    from transfer_core.runs.job_kinds import ShouldStop
    from transfer_core.training.context import Emit


def stand_in(arguments: dict[str, Any], emit: Emit, should_stop: ShouldStop) -> dict[str, Any]:
    if "backbone" in arguments:
        name = os.environ["FAKE_PUBLISHED"]
        weights.published = lambda info: Published("Published", f"https://example.org/{name}")
        return fetch_weights(arguments, emit, should_stop)
    what = arguments["what"]
    emit("phase", name="weights")
    if what == "refused":
        raise WeightsError("These weights are not for this.", code="wrong-weights", file="w.pth", fix="Choose others.")
    if what == "crash":
        raise ZeroDivisionError("nobody expected this")
    if what == "exit":
        sys.exit(0)
    if what == "gone":
        os._exit(3)
    for done in range(1, arguments.get("count", 3) + 1):
        if what != "deaf" and should_stop():
            raise WeightsError("Stopped.", code="stopped")
        time.sleep(0.05)
        emit("progress", done=done, total=arguments.get("count", 3), bytes_per_second=20, eta_seconds=1.0)
    return {"done": arguments.get("count", 3)}


if __name__ == "__main__":
    KINDS["fetch"] = stand_in
    sys.exit(job_worker.main())

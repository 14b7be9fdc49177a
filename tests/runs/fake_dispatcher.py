"""The dispatcher's process, except that the runs it starts are carried by the stand-in; `--kill-after N` kills it at its N-th step."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transfer_core.runs import dispatcher, launch, queue

FAKE_WORKER = Path(__file__).with_name("fake_worker.py")


def dying(step: Callable[..., Any], steps: list[int]) -> Callable[..., Any]:
    """`step`, after which there is one step less to live."""

    def taken(*arguments: Any, **named: Any) -> Any:
        result = step(*arguments, **named)
        steps[0] -= 1
        if steps[0] <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return taken


if __name__ == "__main__":
    launch.worker_command = lambda run: [sys.executable, str(FAKE_WORKER), str(run.folder)]
    dispatcher.POLL = 0.05
    if "--kill-after" in sys.argv:
        left = [int(sys.argv[-1])]
        # Marked and not started; started and not seen alive; seen alive.
        queue.claim = dying(queue.claim, left)
        from transfer_core.runs import starting

        starting.start_apart = dying(starting.start_apart, left)
        launch.carry_on = dying(launch.carry_on, left)
    sys.exit(dispatcher.main())

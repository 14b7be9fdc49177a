"""The worker of a run, killed with SIGKILL at a chosen moment: `killed_worker.py RUN EVENT VALUE` dies as it announces that event.

VALUE is the phase's name for `phase`, the phase in which the first progress is told for `progress`, the number of the epoch for `epoch`.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from transfer_core.runs import worker
from transfer_core.runs.events import EventWriter


def main() -> int:
    run, wanted, value = sys.argv[1:4]
    write = EventWriter.write
    phase = ""

    def write_then_die(self: EventWriter, event: str, /, **fields: Any) -> None:
        nonlocal phase
        write(self, event, **fields)
        phase = fields.get("name", phase) if event == "phase" else phase
        now = {"phase": phase, "progress": phase, "epoch": str(fields.get("epoch"))}.get(event)
        if event == wanted and now == value:
            os.kill(os.getpid(), signal.SIGKILL)

    EventWriter.write = write_then_die  # type: ignore[method-assign]
    return worker.main([run])


if __name__ == "__main__":
    sys.exit(main())

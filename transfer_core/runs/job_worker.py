"""The process of a job: `python -m transfer_core.runs.job_worker JOB_FOLDER`. Exits with 0, or 2 when the job failed."""

from __future__ import annotations

import argparse
import sys
import threading
import time
from pathlib import Path
from typing import Any

from transfer_core.data import caches
from transfer_core.errors import TransferError
from transfer_core.runs import carry
from transfer_core.runs.job_kinds import KINDS
from transfer_core.runs.jobs import Job

STOP_PATIENCE = 3.0  # seconds from the request to the end of a job that does not look


def main(arguments: list[str] | None = None) -> int:
    """Carry the job in the given folder, unless another process does."""
    parser = argparse.ArgumentParser(prog="transfer_core.runs.job_worker")
    parser.add_argument("job", type=Path)
    options = parser.parse_args(arguments)
    return carry.main(lambda: Job(options.job), _work)


def _work(carrier: carry.Carrier) -> carry.Result:
    """The job's report, or what it was asked to end for."""
    job = Job(carrier.work.folder)
    carrier.tell_begin()
    if carrier.requested():
        return "stop"
    work = _Thread(job, carrier)
    work.start()
    deadline = None
    while work.is_alive():
        work.join(0.1)
        if deadline is None and carrier.requested():
            deadline = time.monotonic() + STOP_PATIENCE
        if deadline is not None and time.monotonic() > deadline:
            work.silence()
            return "stop"
    if isinstance(work.error, TransferError) and work.error.code == "stopped":
        return "stop"
    if work.error is not None:
        raise work.error
    caches.make_room(0, own=False)  # the thread has ended, and nothing here needs what it opened
    return "stop" if work.report is None else work.report


class _Thread(threading.Thread):
    """The work itself. In a thread, so that one that waits for a server which says nothing can be stopped as well."""

    def __init__(self, job: Job, carrier: carry.Carrier):
        super().__init__(daemon=True)
        self._job, self._carrier = job, carrier
        self._telling, self._silent = threading.Lock(), False
        self.report: dict[str, Any] | None = None
        self.error: BaseException | None = None

    def run(self) -> None:
        """Do the work; keeps its report or what went wrong."""
        try:
            work = KINDS[self._job.kind]
            self.report = work(self._job.arguments, self._emit, lambda: self._carrier.requested() is not None)
        except BaseException as error:
            self.error = error

    def silence(self) -> None:
        """Have nothing told any more: the job's last word has to be the last."""
        with self._telling:
            self._silent = True

    def _emit(self, event: str, /, **fields: Any) -> None:
        with self._telling:
            if not self._silent:
                self._carrier.emit(event, **fields)


if __name__ == "__main__":
    sys.exit(main())

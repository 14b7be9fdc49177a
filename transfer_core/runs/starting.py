"""Starting the process of a run or a job. It outlives whoever started it."""

from __future__ import annotations

import time
from collections.abc import Sequence

from transfer_core.errors import RunError, storage_error
from transfer_core.i18n import _
from transfer_core.processes import start_apart
from transfer_core.runs.process import FILE as WORKER_FILE
from transfer_core.runs.process import is_alive
from transfer_core.runs.work import Work

START_PATIENCE = (
    60.0  # seconds for an interpreter to come up, on a computer that is busy; for several, torch in another one before it
)
END_PATIENCE = 10.0  # seconds for a process to be gone after its last word


def start_process(work: Work, command: Sequence[str]) -> bool:
    """Start the process of `work` and wait for its first sign of life; False when it made way for another one.

    Raises RunError (not-started) when it does not come up.
    """
    before = _signs_of_life(work)
    try:
        with work.log_file.open("ab") as log:
            process = start_apart(command, log, work.folder)
    except OSError as error:
        raise storage_error(error, work.log_file) from error
    deadline = time.monotonic() + START_PATIENCE
    while _signs_of_life(work) == before:
        if process.poll() is not None and _signs_of_life(work) == before:
            # It made way for another process, or it could not even begin.
            if is_alive(work):
                return False
            raise _not_started(work)
        if time.monotonic() > deadline:
            raise _not_started(work)
        time.sleep(0.01)
    return True


def gone(work: Work) -> bool:
    """Wait for the end of a process that has said its last word."""
    deadline = time.monotonic() + END_PATIENCE
    while is_alive(work) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not is_alive(work)


def _signs_of_life(work: Work) -> tuple[bytes, int]:
    """What a process changes first: its own file, or on a full disk at least the events, saying that it failed."""
    try:
        worker = (work.folder / WORKER_FILE).read_bytes()
    except OSError:
        worker = b""
    return worker, work.events_file.stat().st_size if work.events_file.exists() else 0


def _not_started(work: Work) -> RunError:
    return RunError(
        _("The process could not be started."),
        code="not-started",
        file=work.log_file,
        fix=_("The log has the details: {file}.").format(file=work.log_file),
    )

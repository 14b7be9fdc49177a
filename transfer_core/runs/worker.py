"""The process of a run: `python -m transfer_core.runs.worker RUN_FOLDER [--resume]`. Exits with 0, or 2 when the run failed."""

from __future__ import annotations

import argparse
import errno
import faulthandler
import logging
import os
import platform
import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from filelock import FileLock, Timeout

from transfer_core import __version__
from transfer_core.errors import FULL_DISK, StorageError, TransferError, storage_error
from transfer_core.files import write_json
from transfer_core.i18n import _
from transfer_core.runs import control
from transfer_core.runs.events import EventReader, EventWriter, make_reserve
from transfer_core.runs.folder import Run
from transfer_core.runs.process import is_alive, write_worker

log = logging.getLogger("transfer_core.worker")

LOCK_PATIENCE = 15.0  # seconds for what a killed process left behind to go
PROGRESS_EVERY = 0.1  # seconds; more lines than that nobody can see


@dataclass
class Signals:
    """Whether the system asked this process to end. It is taken as a request to stop, so that nothing is lost."""

    received: bool = False

    def install(self) -> None:
        """Take SIGTERM and SIGINT for a stop request; a closed terminal is none of a run's business."""
        signal.signal(signal.SIGTERM, self._receive)
        signal.signal(signal.SIGINT, self._receive)
        if hasattr(signal, "SIGHUP"):
            signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.received = True


class Announcer:
    """The run's `emit`: events go to the file, with no more progress lines than anybody can see."""

    def __init__(self, events: EventWriter):
        self._events = events
        self._last_progress = 0.0

    def __call__(self, event: str, /, **fields: Any) -> None:
        if event == "progress":
            now = time.monotonic()
            if now - self._last_progress < PROGRESS_EVERY and fields.get("done") != fields.get("total"):
                return
            self._last_progress = now
        self._events.write(event, **fields)


def main(arguments: list[str] | None = None) -> int:
    """Carry the run in the given folder, unless another process does."""
    parser = argparse.ArgumentParser(prog="transfer_core.runs.worker")
    parser.add_argument("run", type=Path)
    parser.add_argument("--resume", action="store_true")
    options = parser.parse_args(arguments)
    _open_log()
    try:
        run = Run(options.run)
        lock = _take_lock(run)
        if lock is None:
            log.error("Another process is at work on this run; this one makes way for it.")
            return 2
        try:
            return _carry(run, options.resume)
        finally:
            lock.release()
    except TransferError as error:
        log.error("%s", error, exc_info=error)
        return 2


def _open_log() -> None:
    # Whoever started this process made its output the run's log. On a full disk the log is what can be done without.
    logging.raiseExceptions = False
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr, force=True
    )
    faulthandler.enable()


def _take_lock(run: Run) -> FileLock | None:
    """The run's lock, or None when another living process has it."""
    lock = FileLock(run.lock_file, thread_local=False)
    deadline = time.monotonic() + LOCK_PATIENCE
    while True:
        try:
            lock.acquire(timeout=0)
            return lock
        except Timeout:
            if is_alive(run) or time.monotonic() > deadline:
                return None
            time.sleep(0.1)
        except OSError as error:
            raise storage_error(error, run.lock_file) from error


def _carry(run: Run, resume: bool) -> int:
    told = {event["event"] for event in EventReader(run.events_file).read()}
    if "run_finished" in told:
        log.error("This run is finished.")
        return 2
    signals = Signals()
    signals.install()
    with EventWriter(run.events_file) as events:
        try:
            write_worker(run.folder)
            make_reserve(run.folder)
            log.info("Process %d, Transfer Studio %s, Python %s", os.getpid(), __version__, platform.python_version())
            began_before = bool(told & {"run_started", "run_resumed"})
            report = _train(run, events, signals, resumed=resume or began_before, began_before=began_before)
            if report is None:
                events.write("run_stopped")
                log.info("Stopped.")
            else:
                write_json(run.report_file, report)
                events.write("run_finished", report=report)
                log.info("Finished.")
        # Whatever happens has to be told, or the run would seem to have been killed.
        except BaseException as error:
            _tell_failure(run, events, error)
            return 2
    return 0


def _train(run: Run, events: EventWriter, signals: Signals, *, resumed: bool, began_before: bool) -> dict[str, Any] | None:
    """The run's report, or None when it was asked to stop."""
    settings = run.settings
    # Only now what takes seconds to import: whoever watches already sees that the run is starting.
    from transfer_core.data.project import Project
    from transfer_core.training.checkpoint import last_step
    from transfer_core.training.context import Context, Stopped
    from transfer_core.training.execute import execute

    if began_before:
        events.write("run_resumed", from_step=last_step(run.folder))
    else:
        events.write("run_started")
    context = Context(
        folder=run.folder,
        project=Project.open(run.project_folder),
        settings=settings,
        emit=Announcer(events),
        requested=_requests(run.folder, signals),
        resumed=resumed,
    )
    try:
        context.stop_if_asked()
        return {"run": str(run.folder), "model": str(run.model_folder), **execute(context)}
    except Stopped:
        return None


def _requests(folder: Path, signals: Signals) -> Callable[[], control.Request | None]:
    return lambda: "stop" if signals.received else control.requested(folder)


def _tell_failure(run: Run, events: EventWriter, error: BaseException) -> None:
    try:
        events.write("run_failed", error=_explain(run, error).as_data())
    except StorageError as refusal:
        log.error("The end of the run could not be told.", exc_info=refusal)
    log.error("The run failed.", exc_info=error)


def _explain(run: Run, error: BaseException) -> TransferError:
    """`error` as what the user is told; the traceback is for the log."""
    if isinstance(error, TransferError):
        return error
    if isinstance(error, OSError) and error.errno in FULL_DISK:
        return storage_error(error, error.filename or run.folder)
    if _means_full_disk(error):
        return storage_error(OSError(errno.ENOSPC, str(error)), run.project_folder)
    return TransferError(
        _("Something went wrong that this program did not expect."),
        code="internal",
        file=run.log_file,
        fix=_("The run's log has the details: {file}.").format(file=run.log_file),
    )


def _means_full_disk(error: BaseException) -> bool:
    """Whether a library met a full disk and says so in its own way: SQLite by a code, safetensors and torch only in words."""
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    return "No space left on device" in str(error)


if __name__ == "__main__":
    sys.exit(main())

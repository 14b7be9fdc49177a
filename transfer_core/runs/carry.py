"""How a process carries a run or a job: alone, stoppable, telling what it does, and never ending without a word."""

from __future__ import annotations

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
from types import FrameType
from typing import Any, Literal

from filelock import FileLock, Timeout

from transfer_core import __version__
from transfer_core.errors import FULL_DISK, StorageError, TransferError, storage_error
from transfer_core.files import write_json
from transfer_core.i18n import _
from transfer_core.runs import control
from transfer_core.runs.events import FINAL, EventReader, EventWriter, make_reserve
from transfer_core.runs.process import began, is_alive, write_worker
from transfer_core.runs.work import Work

log = logging.getLogger("transfer_core.worker")

Result = dict[str, Any] | Literal["stop", "pause"]
BEGINNINGS = frozenset({"run_started", "run_resumed"})
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
    """The `emit` of what is carried: events go to the file, with no more progress lines than anybody can see."""

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


@dataclass(frozen=True)
class Carrier:
    """What the work is given while this process carries it; `began_before` says that an earlier process began it."""

    work: Work
    events: EventWriter
    emit: Announcer
    signals: Signals
    began_before: bool

    def requested(self) -> control.Request | None:
        """What was asked from outside since."""
        return "stop" if self.signals.received else control.requested(self.work.folder)

    def tell_begin(self, from_step: int = 0) -> None:
        """Tell that the work begins, or goes on from `from_step` in another process."""
        events = self.events
        if self.began_before:
            events.write("run_resumed", from_step=from_step)
        else:
            events.write("run_started")


def main(open_work: Callable[[], Work], carry_out: Callable[[Carrier], Result], after: float | None = None) -> int:
    """Have `carry_out` do the work, unless another process does; it gives a report, or what it was asked to end for.

    With `after`, the process that came before this one is to be the one that began then (0: none): where another carried the work
    since, this one makes way. The exit code of the process: 0, or 2 when the work failed or was not this process's to do.
    """
    open_log()
    try:
        work = open_work()
        lock = _take_lock(work)
        if lock is None:
            log.error("Another process is at work on this; this one makes way for it.")
            return 2
        try:
            if after is not None and began(work.folder) != after:
                log.error("Another process was at work on this meanwhile; this one makes way for it.")
                return 2
            return _carry(work, carry_out)
        finally:
            lock.release()
    except TransferError as error:
        log.error("%s", error, exc_info=error)
        return 2


def open_log() -> None:
    """Have this process's output be the log."""
    # Whoever started this process made its output the log. On a full disk the log is what can be done without.
    logging.raiseExceptions = False
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr, force=True
    )
    faulthandler.enable()


def _take_lock(work: Work) -> FileLock | None:
    """The lock, or None when another living process has it."""
    lock = FileLock(work.lock_file, thread_local=False)
    deadline = time.monotonic() + LOCK_PATIENCE
    while True:
        try:
            lock.acquire(timeout=0)
            return lock
        except Timeout:
            if is_alive(work) or time.monotonic() > deadline:
                return None
            time.sleep(0.1)
        except OSError as error:
            raise storage_error(error, work.lock_file) from error


def _carry(work: Work, carry_out: Callable[[Carrier], Result]) -> int:
    told = [event["event"] for event in EventReader(work.events_file).read()]
    turns = [name for name in told if name in FINAL | BEGINNINGS]
    if turns[-1:] == ["run_finished"] and not work.reopened():
        log.error("This is finished.")
        return 2
    signals = Signals()
    signals.install()
    with EventWriter(work.events_file) as events:
        try:
            write_worker(work.folder)
            make_reserve(work.folder)
            log.info("Process %d, Transfer Studio %s, Python %s", os.getpid(), __version__, platform.python_version())
            began_before = not BEGINNINGS.isdisjoint(told)
            _tell_end(work, events, carry_out(Carrier(work, events, Announcer(events), signals, began_before)))
        # Whatever happens has to be told, or the work would seem to have been killed.
        except BaseException as error:
            _tell_failure(work, events, error)
            return 2
    return 0


def _tell_end(work: Work, events: EventWriter, result: Result) -> None:
    if result == "stop":
        events.write("run_stopped")
    elif result == "pause":
        events.write("run_paused")
    else:
        write_json(work.report_file, result)
        events.write("run_finished", report=result)
    log.info("Asked to %s.", result) if isinstance(result, str) else log.info("Finished.")


def _tell_failure(work: Work, events: EventWriter, error: BaseException) -> None:
    try:
        events.write("run_failed", error=_explain(work, error).as_data())
    except StorageError as refusal:
        log.error("The end could not be told.", exc_info=refusal)
    log.error("It failed.", exc_info=error)


def _explain(work: Work, error: BaseException) -> TransferError:
    """`error` as what the user is told; the traceback is for the log."""
    if isinstance(error, TransferError):
        return error
    if isinstance(error, OSError) and error.errno in FULL_DISK:
        return storage_error(error, error.filename or work.folder)
    if _means_full_disk(error):
        return storage_error(OSError(errno.ENOSPC, str(error)), work.disk_folder)
    return TransferError(
        _("Something went wrong that this program did not expect."),
        code="internal",
        file=work.log_file,
        fix=_("The log has the details: {file}.").format(file=work.log_file),
    )


def _means_full_disk(error: BaseException) -> bool:
    """Whether a library met a full disk and says so in its own way: SQLite by a code, safetensors and torch only in words."""
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    return "No space left on device" in str(error)

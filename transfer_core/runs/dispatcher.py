"""Giving the runs in the queue their turns: `python -m transfer_core.runs.dispatcher`, a process that lives while some wait.

Whoever adds a run starts it where nothing is at work; only for those that have to wait a process is needed. It may be killed at any
time: all it knows is in the queue, and whoever looks at the queue next starts another.
"""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path

from filelock import FileLock, Timeout

from transfer_core.errors import TransferError, storage_error
from transfer_core.places import own_folder
from transfer_core.processes import module_command, start_apart
from transfer_core.runs import launch, queue
from transfer_core.runs.events import EventWriter
from transfer_core.runs.folder import Run

log = logging.getLogger("transfer_core.dispatcher")

POLL = 0.5  # seconds between two looks at who is at work


def submit(run: Run, first: bool = False) -> None:
    """Have the run carried when its turn comes: at once where nothing is at work on its device.

    `first` puts it before all that wait. Raises RunError when it is at work or finished, or its process does not come up; StorageError.
    """
    queue.add(run, first)
    problem = start_due().get(run.folder)
    if problem is not None:
        raise problem
    ensure_dispatcher()


def start_due() -> dict[Path, TransferError]:
    """Start the next run of each device on which none is at work; gives the problems of those that did not come up."""
    problems: dict[Path, TransferError] = {}
    with queue.starting():
        for device in queue.DEVICES:
            while (entry := queue.claim(device)) is not None:
                problem = _begin(entry)
                if problem is None:
                    break
                problems[entry.folder] = problem
    return problems


def ensure_dispatcher() -> None:
    """Have a dispatcher at work where runs wait. Cheap where none do: for pages and commands, whenever they look at the queue."""
    if not queue.order() and not queue.stranded():
        return
    try:
        with _only_one():
            pass
    except Timeout:
        return
    log_file = own_folder("logs") / "queue.log"
    try:
        with log_file.open("ab") as file:
            start_apart(command(), file, own_folder("queue"))
    except OSError as error:
        raise storage_error(error, log_file) from error


def command() -> list[str]:
    """The command of the dispatcher's process."""
    return module_command("transfer_core.runs.dispatcher")


def main() -> int:
    """Start run after run until none waits; where another dispatcher is at work, make way for it."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    lock = _only_one()
    try:
        lock.acquire()
    except Timeout:
        return 0
    while True:
        for folder, problem in start_due().items():
            log.error("%s: %s", folder, problem)
        # Let go while the queue can't change: whoever adds a run later finds no dispatcher, and starts one.
        with queue.changing() as entries:
            if all(entry.begun for entry in entries):
                lock.release()
                return 0
        time.sleep(POLL)


def _begin(entry: queue.Entry) -> TransferError | None:
    """Have a process carry the run; what went wrong is told in the run, too, and its turn is over."""
    try:
        launch.carry_on(Run(entry.folder), entry.after)
    except TransferError as error:
        queue.drop(entry)
        if entry.had:  # by a process that somebody started beside the queue, and that has ended
            return None
        _tell(entry.folder, error)
        return error
    if not entry.had:  # on a full disk, a process can only say that it failed
        queue.drop(entry)
    return None


def _tell(folder: Path, error: TransferError) -> None:
    try:
        run = Run(folder)
        with FileLock(run.lock_file, timeout=0), EventWriter(run.events_file) as events:
            events.write("run_failed", error=error.as_data())
    except (Timeout, TransferError, OSError) as problem:
        log.error("The end could not be told.", exc_info=problem)


def _only_one() -> FileLock:
    return FileLock(own_folder("queue") / ".dispatcher", timeout=0, thread_local=False)


if __name__ == "__main__":
    sys.exit(main())

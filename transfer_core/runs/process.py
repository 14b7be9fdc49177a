"""Whether a run's process lives: its id alone won't do, the system gives the id of a dead process to another."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from transfer_core.files import write_json

if TYPE_CHECKING:
    from transfer_core.runs.folder import Run

FILE = "worker.json"
TOLERANCE = 1.0  # seconds; systems round a process's start time, and some shift it with the clock


@dataclass(frozen=True)
class Worker:
    """A run's process: its id, when the system started it, and when it wrote this down (epoch seconds)."""

    pid: int
    create_time: float
    began: float


def write_worker(folder: Path) -> Worker:
    """Note in `folder` that this process carries the run."""
    # Rounded as the events are: their times are compared with this one.
    worker = Worker(os.getpid(), psutil.Process().create_time(), round(time.time(), 3))
    write_json(folder / FILE, asdict(worker))
    return worker


def read_worker(folder: Path) -> Worker | None:
    """The last process that carried the run in `folder`, alive or not."""
    try:
        data = json.loads((folder / FILE).read_bytes())
        return Worker(int(data["pid"]), float(data["create_time"]), float(data["began"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def lives(pid: int, create_time: float) -> bool:
    """Whether the process of this id is the one started then, and not one that is dead and only not yet buried."""
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - create_time) <= TOLERANCE
        return same and process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except (psutil.Error, ValueError, OverflowError):
        return False


def is_alive(run: Run) -> bool:
    """Whether the run's process lives."""
    worker = read_worker(run.folder)
    return worker is not None and lives(worker.pid, worker.create_time)

"""The process that carries a run or a job, and whether it lives."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from transfer_core.files import write_json
from transfer_core.processes import lives

if TYPE_CHECKING:
    from transfer_core.runs.work import Work

FILE = "worker.json"


@dataclass(frozen=True)
class Worker:
    """Such a process: its id, when the system started it, and when it wrote this down (epoch seconds)."""

    pid: int
    create_time: float
    began: float


def write_worker(folder: Path) -> Worker:
    """Note in `folder` that this process carries the work."""
    # Rounded as the events are: their times are compared with this one.
    worker = Worker(os.getpid(), psutil.Process().create_time(), round(time.time(), 3))
    write_json(folder / FILE, asdict(worker))
    return worker


def read_worker(folder: Path) -> Worker | None:
    """The last process that carried the work in `folder`, alive or not."""
    try:
        data = json.loads((folder / FILE).read_bytes())
        return Worker(int(data["pid"]), float(data["create_time"]), float(data["began"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def began(folder: Path) -> float:
    """When the last process that carried the work in `folder` began; 0 where there was none yet."""
    worker = read_worker(folder)
    return worker.began if worker else 0.0


def is_alive(work: Work) -> bool:
    """Whether its process lives."""
    worker = read_worker(work.folder)
    return worker is not None and lives(worker.pid, worker.create_time)

"""How much memory a run's process takes: of the computer, and of the graphics card where its driver tells."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import psutil

from transfer_core.processes import lives
from transfer_core.runs.process import read_worker

if TYPE_CHECKING:
    from transfer_core.runs.work import Work

PATIENCE = 2.0  # seconds; nvidia-smi can hang on a driver that is broken
EVERY = 5.0  # seconds between two times that the driver is asked


@dataclass(frozen=True)
class Memory:
    """Bytes in use; `card` is None where the process has none of a graphics card, or nobody can tell."""

    computer: int
    card: int | None


def memory_of(work: Work, device: str) -> Memory | None:
    """What its process takes now, at work on `device`; None when it has none that lives."""
    worker = read_worker(work.folder)
    if worker is None or not lives(worker.pid, worker.create_time):
        return None
    try:
        taken = psutil.Process(worker.pid).memory_info().rss
    except psutil.Error:
        return None
    cards = _cards(int(time.monotonic() / EVERY)) if device == "cuda" else {}
    return Memory(taken, cards.get(worker.pid))


@lru_cache(maxsize=1)
def _cards(moment: int) -> dict[int, int]:
    """Bytes of graphics memory by process id, asked once each moment."""
    command = ["nvidia-smi", "--query-compute-apps=pid,used_memory", "--format=csv,noheader,nounits"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=PATIENCE, check=True)
    except (OSError, subprocess.SubprocessError):
        return {}
    return parse_processes(result.stdout)


def parse_processes(text: str) -> dict[int, int]:
    """Bytes by process id in `nvidia-smi`'s lines of id and memory (MiB); what has no numbers is left out."""
    found: dict[int, int] = {}
    for line in text.splitlines():
        identity, _comma, memory = line.partition(",")
        if identity.strip().isdigit() and memory.strip().isdigit():
            found[int(identity)] = found.get(int(identity), 0) + int(memory) * 1024**2
    return found

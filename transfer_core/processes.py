"""Processes of our own: started to outlive whoever starts them, buried when they end, and told apart from strangers."""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import psutil

from transfer_core import i18n

# Of glibc's malloc.h.
_ARENA_MAX, _MMAP_MAX, _MMAP_THRESHOLD, _TRIM_THRESHOLD = -8, -4, -3, -1

TOLERANCE = 1.0  # seconds; systems round a process's start time, and some shift it with the clock


def lives(pid: int, create_time: float) -> bool:
    """Whether the process of this id is the one started then, and not one that is dead and only not yet buried.

    The id alone won't do: the system gives the id of a dead process to another.
    """
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - create_time) <= TOLERANCE
        return same and process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except (psutil.Error, ValueError, OverflowError):
        return False


def module_command(module: str, *arguments: str | Path) -> list[str]:
    """The command that runs a module of ours."""
    # -P: a file in the working folder that is called like a module must not be imported in its place.
    return [sys.executable, "-P", "-m", module, *map(str, arguments)]


def start_apart(command: Sequence[str], log: IO[bytes], folder: Path) -> subprocess.Popen[bytes]:
    """Start a process that goes on when the terminal, the browser or its parent is closed; its output is appended to `log`."""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder, env=child_environment(), **_apart()
    )
    _reap(process)
    return process


def child_environment() -> dict[str, str]:
    """This process's environment, with the language in force and, in a checkout, the way to this package."""
    environment = dict(os.environ)
    environment[i18n.VARIABLE] = i18n.language()
    # Threads that wait for each other sleep: awake, they take turns with whatever else the computer does, and a training beside a
    # browser was three times slower. By itself it is as fast.
    environment.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    package = Path(__file__).parents[1]
    if (package / "pyproject.toml").exists():
        paths = [str(package), *filter(None, [environment.get("PYTHONPATH")])]
        environment["PYTHONPATH"] = os.pathsep.join(paths)
    return environment


def _apart() -> dict[str, Any]:
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.DETACHED_PROCESS}
    return {"start_new_session": True}


def _reap(process: subprocess.Popen[bytes]) -> None:
    """Wait for a child in the background.

    A child that ended stays as a zombie until its parent waits for it, and a page server lives for days. A thread that
    sleeps in wait() buries it at once, needs nobody to remember it, and does not keep this process from exiting.
    """
    threading.Thread(target=process.wait, daemon=True, name=f"reap-{process.pid}").start()


def make_way() -> None:
    """Have this process run only when others don't need the processor: for work that nobody waits for."""
    with contextlib.suppress(psutil.Error, OSError):
        psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS if sys.platform == "win32" else 10)


def usable_cores() -> int:
    """How many processor cores this process may run on: not all of the computer's, as in a container."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def spare_memory() -> None:
    """Have this process give freed memory back to the system at once: for work with large arrays in several threads.

    The C library of most Linuxes keeps it for later, a hundred megabytes after a large set was compared. Elsewhere there is nothing to do.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):
        library = ctypes.CDLL(None)
        library.mallopt(_ARENA_MAX, 2)
        library.mallopt(_MMAP_THRESHOLD, 2**20)


def hold_memory() -> None:
    """Have this process hold on to freed memory until it ends: for training, which asks for the same large blocks at every step.

    The C library of most Linuxes gives them back each time, and the system hands them out again page by page: a quarter of the time that
    a step through a whole network takes on a processor, for a tenth more memory. Elsewhere there is nothing to do.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):
        library = ctypes.CDLL(None)
        library.mallopt(_MMAP_MAX, 0)
        library.mallopt(_TRIM_THRESHOLD, -1)

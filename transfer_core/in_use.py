"""Folders that processes need: who they are, and when one last began to, so that what is freed is not what somebody works with."""

from __future__ import annotations

import os
import time
from functools import cache
from pathlib import Path

import psutil

from transfer_core.errors import storage_error
from transfer_core.processes import lives

USERS = ".users"


def hold(folder: Path) -> None:
    """This process needs what lies in `folder` until it ends; raises StorageError when the disk refuses."""
    users = folder / USERS
    try:
        users.mkdir(parents=True, exist_ok=True)
        (users / _name(os.getpid())).touch()
        os.utime(users)
    except OSError as error:
        raise storage_error(error, users) from error


def last_used(folder: Path) -> float:
    """When a process last began to need it, in seconds since 1970; for a folder that nobody held, when it was changed."""
    users = folder / USERS
    try:
        return (users if users.exists() else folder).stat().st_mtime
    except FileNotFoundError:
        return time.time()


def is_needed(folder: Path, own: bool = True) -> bool:
    """Whether a living process holds `folder`; without `own`, another than this one."""
    try:
        names = [file.name for file in (folder / USERS).iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return False
    return any(_lives(name) for name in names if own or name != _name(os.getpid()))


@cache
def _name(process: int) -> str:
    """Of the file that stands for a process: its id alone is given to others once it is dead."""
    return f"{process}-{psutil.Process(process).create_time():.3f}"


def _lives(name: str) -> bool:
    process, _dash, began = name.partition("-")
    try:
        return lives(int(process), float(began))
    except ValueError:
        return False

"""What projects keep to be faster, under one budget: the stores used longest ago go first, never what a living process needs."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from transfer_core import in_use, preferences
from transfer_core.errors import TransferError
from transfer_core.i18n import _
from transfer_core.places import home

PREFERENCE = "cache_gigabytes"
GIGABYTE = 10**9
MOST = 20 * GIGABYTE  # without a preference; or a fifth of the disk's free space, where that is less
SHARE = 5
FEWEST_GIGABYTES, MOST_GIGABYTES = 1, 100_000
DIVIDED = ("pixels", "features", "boundary")  # folders with a store of each backbone or view
WHOLE = ("fingerprints", "thumbnails")
GOING = ".going-"


@dataclass(frozen=True)
class Store:
    """A folder that is freed as a whole: one project's pixels, features or activations of one backbone, or its thumbnails."""

    folder: Path
    bytes: int
    used: float  # when a process last began to need it, in seconds since 1970


def stores() -> list[Store]:
    """All of all projects, the one used longest ago first."""
    found = (Store(folder, _size(folder), in_use.last_used(folder)) for folder in _folders())
    return sorted(found, key=lambda store: (store.used, store.folder))


def budget(kept: list[Store] | None = None) -> int:
    """How many bytes all of them may take: what the user chose, or 20 GB, or a fifth of what would be free without them.

    `kept` are the stores, where they were looked through already.
    """
    chosen = preferences.read().get(PREFERENCE)
    if isinstance(chosen, int | float) and FEWEST_GIGABYTES <= chosen <= MOST_GIGABYTES:
        return int(chosen * GIGABYTE)
    place = next(folder for folder in (home(), *home().parents) if folder.exists())
    free = shutil.disk_usage(place).free + sum(store.bytes for store in (stores() if kept is None else kept))
    return min(MOST, free // SHARE)


def choose_budget(gigabytes: float) -> None:
    """Keep the user's choice, and free what is over it; raises TransferError for what is no size, and StorageError."""
    if not FEWEST_GIGABYTES <= gigabytes <= MOST_GIGABYTES:
        raise TransferError(
            _("The room for what is kept has to be from {least} to {most} GB, and {size:g} was given.").format(
                least=FEWEST_GIGABYTES, most=f"{MOST_GIGABYTES:,}", size=gigabytes
            ),
            code="bad-budget",
            fix=_("Give a number between those."),
        )
    preferences.change(**{PREFERENCE: float(gigabytes)})
    make_room(0)


def room_beside(folder: Path) -> int:
    """Bytes that the store in `folder` may take in all: the budget less what living processes need of the others."""
    kept = stores()
    needed = (store.bytes for store in kept if store.folder != folder and in_use.is_needed(store.folder))
    return max(0, budget(kept) - sum(needed))


def make_room(need: int, own: bool = True) -> int:
    """Free the stores used longest ago until `need` bytes more fit into the budget; gives how many bytes are over it even so.

    Without `own`, what this process alone needs may go as well: at its end.
    """
    _finish_removals()
    kept = stores()
    over = sum(store.bytes for store in kept) + need - budget(kept)
    for store in kept:
        if over <= 0:
            break
        if store.bytes and _remove(store.folder, own):
            over -= store.bytes
    return max(0, over)


def free_all() -> int:
    """Free everything that no living process needs; gives how many bytes that were."""
    _finish_removals()
    return sum(store.bytes for store in stores() if _remove(store.folder, own=True))


def _folders() -> Iterator[Path]:
    for cache in home().glob("*/cache"):
        for name in DIVIDED:
            yield from (folder for folder in (cache / name).glob("*") if folder.is_dir() and not folder.name.startswith("."))
        yield from (cache / name for name in WHOLE if (cache / name).is_dir())


def _size(folder: Path) -> int:
    """Bytes of the files in it; what goes meanwhile counts for nothing."""
    total = 0
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                total += _size(Path(entry)) if entry.is_dir(follow_symlinks=False) else entry.stat(follow_symlinks=False).st_size
    return total


def _remove(folder: Path, own: bool) -> bool:
    """Whether the store went: not while it is filled, held, or (on Windows) open."""
    going = folder.with_name(f"{GOING}{folder.name}-{time.time_ns()}")
    try:
        if in_use.is_needed(folder, own):
            return False
        # Whoever fills a store holds this lock. It is let go before the folder moves: Windows moves no folder with an open file in it.
        with FileLock(folder / ".lock", timeout=0):
            pass
        folder.rename(going)
        if in_use.is_needed(going, own):  # begun to be needed in between
            going.rename(folder)
            return False
    except (OSError, Timeout):
        return False
    shutil.rmtree(going, ignore_errors=True)
    return True


def _finish_removals() -> None:
    """Remove the rest of what a killed process was about to free."""
    for pattern in (f"*/cache/{GOING}*", f"*/cache/*/{GOING}*"):
        for folder in home().glob(pattern):
            if not in_use.is_needed(folder):
                shutil.rmtree(folder, ignore_errors=True)

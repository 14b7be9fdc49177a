"""The budget of what projects keep: the stores used longest ago go first, and nobody loses what a living process works with."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from transfer_core import in_use, preferences
from transfer_core.data import caches
from transfer_core.errors import TransferError
from transfer_core.rows import RowStore

GB = caches.GIGABYTE


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A budget of 1,000 bytes, and of 1 GB where the user chose that."""
    monkeypatch.setattr(caches, "MOST", 1000)


def keep(home: Path, name: str, size: int, used: float) -> Path:
    """A store of so many bytes that a process used once, which is gone."""
    folder = home / name
    (folder / in_use.USERS).mkdir(parents=True)
    (folder / "rows.bin").write_bytes(bytes(size))
    (folder / in_use.USERS / "999999999-1.000").touch()
    os.utime(folder / in_use.USERS, (used, used))
    return folder


def test_the_longest_unused_goes_first_and_no_more_than_needed(studio_home: Path) -> None:
    middle = keep(studio_home, "one/cache/features/b", 300, used=20)
    oldest = keep(studio_home, "two/cache/boundary/c", 300, used=10)
    newest = keep(studio_home, "one/cache/pixels/a", 300, used=30)
    others = keep(studio_home, "one/runs/x", 5000, used=1)
    assert [store.folder for store in caches.stores()] == [oldest, middle, newest]
    assert caches.make_room(100) == 0 and oldest.exists()
    assert caches.make_room(101) == 0
    assert [folder.exists() for folder in (oldest, middle, newest, others)] == [False, True, True, True]


def test_what_living_processes_opened_stays(studio_home: Path) -> None:
    """Of this process and of another, until that is dead; what is over even so is told."""
    other = studio_home / "one/cache/features/b"
    code = f"from pathlib import *; from transfer_core.rows import RowStore; RowStore({other!r}, (1,), 'u1'); print(1, flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline()
        (other / "rows.bin").write_bytes(bytes(600))
        own = RowStore(studio_home / "one/cache/pixels/a", (1,), "u1").folder
        (own / "rows.bin").write_bytes(bytes(600))
        assert caches.make_room(0) == 200 and own.exists() and other.exists()
        assert caches.room_beside(own) == 400
        assert caches.make_room(500, own=False) == 100 and not own.exists() and other.exists()
        process.kill()
    assert caches.make_room(500) == 0 and not other.exists()


def test_a_store_that_is_filled_stays(studio_home: Path) -> None:
    store = RowStore(studio_home / "one/cache/pixels/a", (1,), "u1")
    (store.folder / "rows.bin").write_bytes(bytes(2000))
    with store.lock():
        assert caches.make_room(0, own=False) == 1000 and store.folder.exists()
    assert caches.make_room(0, own=False) == 0


def test_begun_to_be_needed_while_it_goes(studio_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look at who needs it and its removal: it comes back whole."""
    folder = keep(studio_home, "one/cache/features/b", 2000, used=1)
    asked: list[Path] = []

    def needed(place: Path, own: bool = True) -> bool:
        asked.append(place)
        return len(asked) > 1

    monkeypatch.setattr(in_use, "is_needed", needed)
    assert caches.make_room(0) == 1000
    assert (folder / "rows.bin").stat().st_size == 2000 and len(asked) == 2


def test_freed_whole_and_what_a_kill_left_of_it(studio_home: Path) -> None:
    keep(studio_home, "one/cache/features/b", 200, used=1)
    (studio_home / "one/cache/thumbnails/ab").mkdir(parents=True)
    (studio_home / "one/cache/thumbnails/ab/x.jpg").write_bytes(bytes(50))
    left = keep(studio_home, f"one/cache/pixels/{caches.GOING}a-1", 70, used=1)
    needed = keep(studio_home, "one/cache/choice", 10, used=1)
    assert caches.free_all() == 250
    assert caches.stores() == [] and not left.exists() and needed.exists()


def test_the_budget(studio_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's; without it a fifth of what would be free without the caches, or 20 GB; damaged preferences count for nothing."""
    keep(studio_home, "one/cache/features/b", 2000, used=1)
    free = type("Usage", (), {"free": 500})
    monkeypatch.setattr(caches.shutil, "disk_usage", lambda _folder: free)
    assert caches.budget() == 500
    preferences.change(**{caches.PREFERENCE: "many"})
    assert caches.budget() == 500
    caches.choose_budget(2.5)
    assert caches.budget() == 2.5 * GB
    for wrong in (0.0, float("nan"), 1e9):
        with pytest.raises(TransferError, match="from 1 to 100,000 GB") as refused:
            caches.choose_budget(wrong)
        assert refused.value.code == "bad-budget"
    assert caches.budget() == 2.5 * GB

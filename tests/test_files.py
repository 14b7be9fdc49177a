from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import BinaryIO

import pytest

from transfer_core import files
from transfer_core.errors import ModelError, StorageError


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_json_comes_back_as_it_was(tmp_path: Path) -> None:
    """Every character a class may be named with survives."""
    data = {"名": ["<script>", '"', "\n", "=1+1", "é"], "n": 0.1}
    files.write_json(tmp_path / "a.json", data)
    assert files.read_json(tmp_path / "a.json") == data
    assert "名" in (tmp_path / "a.json").read_text(encoding="utf-8")
    assert names(tmp_path) == ["a.json"]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), ValueError("a bug"), KeyboardInterrupt()])
def test_a_write_that_breaks_off_leaves_the_old_file(tmp_path: Path, error: BaseException) -> None:
    """Readers see the old file or the new one, never half of one, and nothing is left lying about."""
    target = tmp_path / "kept.txt"
    target.write_text("old")

    def write(file: BinaryIO) -> None:
        file.write(b"half")
        raise error

    with pytest.raises(StorageError if isinstance(error, OSError) else type(error)):
        files.write_whole(target, write)
    assert target.read_text() == "old"
    assert names(tmp_path) == ["kept.txt"]


def test_a_write_is_synced_before_it_takes_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a power cut the name must not stand for an empty file: first the content, then the name, then the folder."""
    order: list[str] = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda descriptor: (order.append("sync"), fsync(descriptor)))
    monkeypatch.setattr(os, "replace", lambda old, new: (order.append("rename"), replace(old, new)))
    files.write_text(tmp_path / "a", "b")
    assert order == ["sync", "rename", "sync"]


@pytest.mark.parametrize("place", ["missing/a.txt", "file/a.txt", "x" * 300])
def test_a_place_that_can_not_be_is_a_sentence(tmp_path: Path, place: str) -> None:
    """A folder that went away, a file in its place and a name too long are StorageErrors that name the file."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError) as caught:
        files.write_text(tmp_path / place, "b")
    assert caught.value.file == str(tmp_path / place)


@pytest.mark.parametrize("content", [None, b"{", b"\xff\xfe", b"", b"NaN]"])
def test_json_that_can_not_be_read_names_the_file(tmp_path: Path, content: bytes | None) -> None:
    """A damaged file of ours is told in the caller's kind of error."""
    target = tmp_path / "a.json"
    if content is not None:
        target.write_bytes(content)
    with pytest.raises(ModelError, match=r"a\.json"):
        files.read_json(target, ModelError)


def test_a_name_as_long_as_it_may_be_can_be_written(tmp_path: Path) -> None:
    """The temporary neighbour must not need a longer name than the file itself."""
    files.write_text(tmp_path / ("ü" * 127), "b")
    assert names(tmp_path) == ["ü" * 127]

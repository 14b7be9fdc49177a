from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from transfer_core import rows
from transfer_core.errors import StorageError
from transfer_core.rows import KEY_BYTES, RowStore

ROW_BYTES = 3 * 4


def key(number: int) -> str:
    return f"{number:032x}"


def row(number: int) -> np.ndarray:
    return np.array([number, number + 0.5, -number], np.float32)


def fill(store: RowStore, *numbers: int) -> None:
    with store.lock():
        store.append([key(number) for number in numbers], np.stack([row(number) for number in numbers]))


def opened(folder: Path) -> RowStore:
    return RowStore(folder, (3,), np.float32)


def assert_right(store: RowStore) -> None:
    """Every key that the store knows leads to that key's row."""
    held = store.rows()
    assert len(held) == len(store)
    for number in range(100):
        if key(number) in store:
            assert np.array_equal(held[store.positions([key(number)])[0]], row(number)), number


def test_rows_come_back_after_reopening(tmp_path: Path) -> None:
    """What was appended is there, under its keys, for this process and for the next."""
    store = opened(tmp_path / "s")
    assert len(store) == 0 and store.rows().shape == (0, 3)
    fill(store, 1, 2)
    fill(store, 7)
    for each in (store, opened(tmp_path / "s")):
        assert len(each) == 3 and each.rows().dtype == np.float32
        assert each.positions([key(7), key(1)]).tolist() == [2, 0]
        assert each.missing([key(9), key(2), key(9), key(3)]) == [key(9), key(3)]
        assert_right(each)
    with pytest.raises(KeyError):
        store.positions([key(3)])


def test_rows_are_not_written_through_the_map(tmp_path: Path) -> None:
    """Whoever reads can't change what others read."""
    store = opened(tmp_path)
    fill(store, 1)
    with pytest.raises(ValueError, match="read-only"):
        store.rows()[0] = 5


def test_rows_of_another_shape_are_a_mistake(tmp_path: Path) -> None:
    """A caller's mistake is not written to disk."""
    store = opened(tmp_path)
    with pytest.raises(ValueError, match="expected 1 rows"):
        store.append([key(1)], np.zeros((2, 3)))
    assert not (tmp_path / "rows.bin").exists()


@pytest.mark.parametrize("name, size", [("rows.bin", 5 * ROW_BYTES), ("keys.bin", 5 * KEY_BYTES)])
def test_a_file_torn_anywhere_leaves_the_whole_rows(tmp_path: Path, name: str, size: int) -> None:
    """Cut off at any byte, the store has the rows before the cut, and goes on right from there."""
    for length in range(size + 1):
        folder = tmp_path / str(length)
        fill(opened(folder), 1, 2, 3, 4, 5)
        os.truncate(folder / name, length)
        store = opened(folder)
        assert len(store) == length // (size // 5)
        assert_right(store)
        fill(store, 8, 9)
        again = opened(folder)
        assert len(again) == length // (size // 5) + 2
        assert key(8) in again and key(9) in again
        assert_right(again)


@pytest.mark.parametrize("torn", [0, 1, 3 * ROW_BYTES + 5])
def test_torn_and_then_killed_between_rows_and_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, torn: int) -> None:
    """Keys left over from rows that were lost must not be taken for the keys of the rows written next."""
    fill(opened(tmp_path), 1, 2, 3, 4, 5)
    os.truncate(tmp_path / "rows.bin", torn)
    write_at = rows._write_at

    def killed(file: Path, data: memoryview, offset: int) -> None:
        if file.name == "keys.bin":
            raise KeyboardInterrupt
        write_at(file, data, offset)

    monkeypatch.setattr(rows, "_write_at", killed)
    with pytest.raises(KeyboardInterrupt):
        fill(opened(tmp_path), 8, 9)
    monkeypatch.undo()
    assert_right(opened(tmp_path))
    fill(opened(tmp_path), 8, 9)
    assert_right(opened(tmp_path))


@pytest.mark.parametrize("refused", range(4))
@pytest.mark.parametrize("partly", [0, 1, 20])
def test_a_full_disk_at_any_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: int, partly: int) -> None:
    """The disk takes `partly` bytes of a write and then no more: a sentence, and a store that works once there is space."""
    fill(opened(tmp_path), 1, 2)
    write = os.write
    calls = []

    def full(descriptor: int, data: memoryview) -> int:
        calls.append(None)
        if len(calls) <= refused:
            return write(descriptor, data[:13])  # a short write is no error: the rest follows
        if len(calls) == refused + 1 and partly:
            return write(descriptor, data[:partly])
        raise OSError(errno.ENOSPC, "No space left on device")

    store = opened(tmp_path)
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(StorageError) as caught:
        fill(store, 3, 4, 5)
    assert caught.value.code == "disk-full"
    monkeypatch.undo()
    for each in (store, opened(tmp_path)):
        assert key(1) in each and key(2) in each
        assert_right(each)
    fill(store, 6, 7)
    assert_right(store)
    again = opened(tmp_path)
    assert key(6) in again and key(7) in again
    assert_right(again)
    fill(again, 3)
    assert_right(opened(tmp_path))


def test_two_processes_fill_one_store(tmp_path: Path) -> None:
    """Under the lock, two writers add to each other's rows; neither overwrites the other's."""
    code = (
        "import sys; from pathlib import Path; import numpy as np; from transfer_core.rows import RowStore\n"
        "store = RowStore(Path(sys.argv[1]), (3,), np.float32)\n"
        "for number in range(int(sys.argv[2]), int(sys.argv[2]) + 40):\n"
        "    with store.lock():\n"
        "        store.refresh()\n"
        "        for each in store.missing([f'{number:032x}', f'{number % 7 + 90:032x}']):\n"
        "            n = int(each, 16); store.append([each], np.array([[n, n + 0.5, -n]]))\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), str(first)]) for first in (0, 40)]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    store = opened(tmp_path)
    assert len(store) == 87
    assert all(key(number) in store for number in (*range(80), *range(90, 97)))
    assert_right(store)


def test_another_process_sees_new_rows_on_refresh(tmp_path: Path) -> None:
    """A reader that was open before a writer came finds the rows when it looks again."""
    reader = opened(tmp_path)
    fill(opened(tmp_path), 1, 2)
    assert len(reader) == 0
    reader.refresh()
    assert len(reader) == 2
    assert_right(reader)


def test_a_place_that_can_not_be_is_a_sentence(tmp_path: Path) -> None:
    """A file in the folder's place is a StorageError."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        opened(tmp_path / "file" / "rows")


def test_keys_of_a_wrong_length_are_a_mistake(tmp_path: Path) -> None:
    """A key that is not 16 bytes would shift all that follow."""
    store = opened(tmp_path)
    with pytest.raises(ValueError, match="16 bytes"):
        store.append(["ab"], row(1)[None])
    assert len(opened(tmp_path)) == 0

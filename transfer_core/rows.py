"""Fixed-size rows kept on disk by key: what pixel maps and features lie in."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from transfer_core import in_use
from transfer_core.errors import storage_error

KEY_BYTES = 16


class RowStore:
    """Rows of one shape and type, appended once and never changed, read through a memory map.

    `rows.bin` holds the rows and `keys.bin` their 16-byte keys, in the same order. A key is written after its row, so a writer killed
    at any instant leaves at most rows without keys, which the next writer overwrites. Rows are written with `pwrite` and not
    through the map, because a full disk is then an error with a sentence and not a signal that ends the process.
    Whoever opens a store needs it until its process ends, and nobody frees it meanwhile (`in_use`).
    Memory: 16 bytes and one dictionary entry a row (about 0.15 KB); 15 MB for 100,000 rows.
    """

    def __init__(self, folder: Path, shape: Sequence[int], dtype: Any):
        self.folder = folder
        self.shape = tuple(shape)
        self.dtype = np.dtype(dtype)
        self.row_bytes = int(np.prod(self.shape)) * self.dtype.itemsize
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise storage_error(error, folder) from error
        in_use.hold(folder)
        self._rows_file = folder / "rows.bin"
        self._keys_file = folder / "keys.bin"
        self._index: dict[str, int] = {}
        self.refresh()

    def lock(self) -> FileLock:
        """Held while rows are added, so that two runs on one project don't write the same rows."""
        return FileLock(self.folder / ".lock")

    def refresh(self) -> None:
        """Read the keys again: another process may have added rows."""
        keys = self._keys_file.read_bytes() if self._keys_file.exists() else b""
        rows = self._rows_file.stat().st_size // self.row_bytes if self._rows_file.exists() else 0
        count = min(len(keys) // KEY_BYTES, rows)
        self._index = {keys[i * KEY_BYTES : (i + 1) * KEY_BYTES].hex(): i for i in range(count)}
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __contains__(self, key: str) -> bool:
        return key in self._index

    def keys(self) -> list[str]:
        """The keys, in the order of their rows."""
        return list(self._index)

    def missing(self, keys: Iterable[str]) -> list[str]:
        """The keys without a row, each once, in order."""
        return [key for key in dict.fromkeys(keys) if key not in self._index]

    def append(self, keys: Sequence[str], rows: NDArray[Any] | Sequence[NDArray[Any]]) -> None:
        """Add `rows [len(keys), *shape]`, or a list of them; raises StorageError when the disk refuses. Call with `lock()` held."""
        # A list is written as it is: large rows are not copied together first.
        blocks = [np.ascontiguousarray(block, self.dtype) for block in ([rows] if isinstance(rows, np.ndarray) else rows)]
        if len(rows) != len(keys) or any(block.shape[block.ndim - len(self.shape) :] != self.shape for block in blocks):
            raise ValueError(
                f"expected {len(keys)} rows of {self.shape}, got {len(rows)} of {[block.shape for block in blocks[:1]]}"
            )
        names = [bytes.fromhex(key) for key in keys]
        if any(len(name) != KEY_BYTES for name in names):
            raise ValueError(f"a key has {KEY_BYTES} bytes")
        # Keys of rows that were lost would become the keys of the rows written now, were this writer killed in between.
        _cut(self._keys_file, self._count * KEY_BYTES)
        offset = self._count * self.row_bytes
        _write_at(self._rows_file, [block.data.cast("B") for block in blocks], offset)
        _write_at(self._keys_file, [memoryview(b"".join(names))], self._count * KEY_BYTES)
        for place, key in enumerate(keys):
            self._index[key] = self._count + place
        self._count += len(keys)

    def positions(self, keys: Iterable[str]) -> NDArray[np.int64]:
        """The row number of each key; raises KeyError for one that is missing."""
        return np.array([self._index[key] for key in keys], dtype=np.int64)

    def rows(self) -> NDArray[Any]:
        """All rows as a read-only memory map `[len(self), *shape]`: mapped pages, not memory of this process."""
        if not self._count:
            return np.empty((0, *self.shape), self.dtype)
        return np.memmap(self._rows_file, self.dtype, "r", shape=(self._count, *self.shape))


def _cut(file: Path, length: int) -> None:
    try:
        if file.exists() and file.stat().st_size > length:
            os.truncate(file, length)
    except OSError as error:
        raise storage_error(error, file) from error


def _write_at(file: Path, blocks: Sequence[memoryview], offset: int) -> None:
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
        try:
            os.lseek(descriptor, offset, os.SEEK_SET)
            for block in blocks:
                rest = block
                while rest:
                    rest = rest[os.write(descriptor, rest) :]
        finally:
            os.close(descriptor)
    except OSError as error:
        raise storage_error(error, file) from error

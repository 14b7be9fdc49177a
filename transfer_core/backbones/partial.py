"""A download that is not finished: its bytes so far, and what tells whether they are of the file that lies there now."""

from __future__ import annotations

import contextlib
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, Self

from transfer_core.errors import TransferError, storage_error
from transfer_core.files import digest_of, read_json, sync_folder, write_json


@dataclass(frozen=True)
class Origin:
    """What is said of a file where it lies; as long as that stays the same, so does the content."""

    address: str
    validator: str  # a strong ETag, or the time of the last change; "" where there is neither
    size: int  # bytes; 0 where unknown


class Partial:
    """The beginning of `target`, in `target.partial`; where it came from stands in `target.partial.json`.

    Every refusal of the disk is a StorageError, so that a full disk is never taken for a network that is down.
    """

    def __init__(self, target: Path):
        self.target = target
        self.file = target.with_name(f"{target.name}.partial")
        self._record = target.with_name(f"{target.name}.partial.json")

    @property
    def size(self) -> int:
        """Bytes so far."""
        try:
            return self.file.stat().st_size
        except OSError:
            return 0

    @property
    def origin(self) -> Origin | None:
        """Where the bytes came from; None where none are here, or nothing tells what they belong to."""
        if not self.size:
            return None
        try:
            origin = Origin(**read_json(self._record))
        except (TransferError, TypeError):
            return None
        known = isinstance(origin.address, str) and isinstance(origin.validator, str) and isinstance(origin.size, int)
        return origin if known and origin.validator else None

    def discard(self) -> None:
        """Throw it away."""
        for file in (self._record, self.file):
            with contextlib.suppress(OSError):  # what can't be removed is written over next time
                file.unlink(missing_ok=True)

    def opened(self, origin: Origin, offset: int) -> DiskFile:
        """The file to go on writing into: behind its `offset` bytes, or from nothing where that is 0."""
        if offset:
            return DiskFile(self.file, "ab")
        # Were it the other way round, old bytes could stand under the new record.
        self.discard()
        file = DiskFile(self.file, "wb")
        try:
            write_json(self._record, asdict(origin))
        except TransferError:
            file.close()
            raise
        return file

    def digest(self) -> str:
        """The SHA-256 of what is on the disk, whichever connections it came through."""
        try:
            return digest_of(self.file)
        except OSError as error:
            raise storage_error(error, self.file) from error

    def finish(self) -> None:
        """Give the whole file its name."""
        try:
            self.file.replace(self.target)
            sync_folder(self.target.parent)
        except OSError as error:
            raise storage_error(error, self.target) from error
        self.discard()


class DiskFile:
    """A file that is only written to. Unbuffered: closing has nothing left to write then, and can't fail in its turn."""

    def __init__(self, path: Path, mode: Literal["ab", "wb"]):
        self.path = path
        try:
            self._file = path.open(mode, buffering=0)
        except OSError as error:
            raise storage_error(error, path) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close it."""
        self._file.close()

    def write(self, chunk: bytes) -> None:
        """Write all of `chunk`."""
        rest = memoryview(chunk)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise storage_error(error, self.path) from error

    def sync(self) -> None:
        """Wait until the disk has it."""
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise storage_error(error, self.path) from error

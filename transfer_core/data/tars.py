"""Reading tar files, packed by gzip or not, of unknown origin: gone through once to check them, and once more to unpack."""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Self

from transfer_core.data.archives import MOST_FILES, Content, Entry, broken, check_ratio, name_parts, refused, too_many
from transfer_core.errors import DataError
from transfer_core.i18n import _

_MOST_NOTES = 1024 * 1024  # bytes
_GZIP = b"\x1f\x8b"
_TROUBLE = (tarfile.TarError, zlib.error, EOFError, ValueError, OverflowError, gzip.BadGzipFile)


class TarArchive:
    """A tar file; raises DataError when a single entry of it is not what it should be."""

    def __init__(self, file: BinaryIO, path: Path):
        self._file, self._path = file, path
        self._packed = file.seek(0, io.SEEK_END)
        self.entries: list[Entry] = []
        for number, member in enumerate(self._members()):
            if number >= MOST_FILES:
                raise too_many(path)
            if member.issym() or member.islnk():
                raise refused(path, _("{name} is a link").format(name=member.name))
            if not (member.isreg() or member.isdir()) or member.issparse():
                raise refused(path, _("{name} is neither a file nor a folder").format(name=member.name))
            name_parts(member.name, path)
            if member.isreg():
                self.entries.append(Entry(member.name, member.size, number))

    def contents(self) -> Iterator[tuple[Entry, Content]]:
        """Each file with what it holds."""
        known = {entry.number: entry for entry in self.entries}
        for number, member in enumerate(self._members()):
            if number in known:
                content = self._tar.extractfile(member)
                if content is None:
                    raise broken(self._path, member.name)
                yield known[number], Content(content.read, (*_TROUBLE, OSError), self._path)

    def _members(self) -> Iterator[tarfile.TarInfo]:
        self._file.seek(0)
        packed = self._file.read(2) == _GZIP
        self._file.seek(0)
        stream = gzip.GzipFile(fileobj=self._file) if packed else self._file
        try:
            # As a stream: nothing is skipped, so that all of what it unpacks to is counted.
            counted = _Counted(stream, self._packed, self._path)
            self._tar = tarfile.open(fileobj=counted, mode="r|", tarinfo=_Member)  # noqa: SIM115
            while (member := self._tar.next()) is not None:
                yield member
                self._tar.members = []  # type: ignore[attr-defined]  # it would keep all of them
        except DataError:
            raise
        except (*_TROUBLE, OSError) as error:
            raise broken(self._path, error) from error


class _Member(tarfile.TarInfo):
    """An entry whose notes (long names and such) are short: tarfile reads them at once, however long they are said to be."""

    @classmethod
    def frombuf(cls, buf: bytes, encoding: str, errors: str) -> Self:  # type: ignore[override]
        """The entry of this header; raises tarfile.InvalidHeaderError."""
        member = super().frombuf(buf, encoding, errors)
        if member.type not in (*tarfile.REGULAR_TYPES, tarfile.DIRTYPE) and member.size > _MOST_NOTES:
            raise tarfile.ReadError(_("it names something longer than any name"))
        return member


class _Counted(io.RawIOBase):
    """A stream of which no more comes than can honestly have been packed into so few bytes."""

    def __init__(self, stream: BinaryIO | gzip.GzipFile, packed: int, path: Path):
        self._stream, self._packed, self._path, self._count = stream, packed, path, 0

    def read(self, count: int = -1) -> bytes:
        """At most `count` bytes."""
        data = self._stream.read(count)
        self._count += len(data)
        check_ratio(self._count, self._packed, self._path)
        return data

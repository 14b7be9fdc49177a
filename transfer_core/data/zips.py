"""Reading zip files of unknown origin: every entry is checked before the first is unpacked."""

from __future__ import annotations

import io
import locale
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from stat import S_IFDIR, S_IFLNK, S_IFMT, S_IFREG
from typing import BinaryIO, cast

from transfer_core.data.archives import MOST_FILES, Content, Entry, broken, check_ratio, name_parts, refused, too_many
from transfer_core.i18n import _, language

_LIST_ENTRY = b"PK\x01\x02"
_HEADER_BYTES = 30
_MOST_LIST_BYTES = 64 * 1024 * 1024
_ENCRYPTED = 0x1 | 0x40
_UTF8 = 0x800
# What reading a zip file trips over when somebody wrote into it.
_TROUBLE = (zipfile.BadZipFile, zlib.error, struct.error, NotImplementedError, RuntimeError, EOFError, ValueError, OverflowError)


class ZipArchive:
    """A zip file; raises DataError when a single entry of it is not what it should be."""

    def __init__(self, file: BinaryIO, path: Path):
        self._path = path
        size = file.seek(0, io.SEEK_END)
        try:
            self._zip = zipfile.ZipFile(cast("io.BufferedReader", _Bounded(file, size, path)))
        except _TROUBLE as error:
            raise broken(path, error) from error
        infos = self._zip.infolist()
        self._check(infos, size)
        decode = _decoder(infos)
        self._infos = [info for info in infos if not _is_folder(info)]
        for folder in filter(_is_folder, infos):
            name_parts(decode(folder), path)
        self.entries = [Entry(decode(info), info.file_size, number) for number, info in enumerate(self._infos)]

    def contents(self) -> Iterator[tuple[Entry, Content]]:
        """Each file with what it holds; the checksum of each is compared at its end."""
        for entry in self.entries:
            try:
                with self._zip.open(self._infos[entry.number]) as content:
                    yield entry, Content(content.read, _TROUBLE, self._path)
            except _TROUBLE as error:
                raise broken(self._path, error) from error

    def _check(self, infos: list[zipfile.ZipInfo], size: int) -> None:
        if len(infos) > MOST_FILES:
            raise too_many(self._path)
        for info in infos:
            kind = S_IFMT(info.external_attr >> 16)
            if info.flag_bits & _ENCRYPTED:
                raise refused(self._path, _("it is protected by a password"), code="encrypted-archive")
            if kind == S_IFLNK:
                raise refused(self._path, _("{name} is a link").format(name=info.filename))
            if kind not in (0, S_IFREG, S_IFDIR):
                raise refused(self._path, _("{name} is neither a file nor a folder").format(name=info.filename))
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise refused(self._path, _("it is packed in a way that only few programs read"), code="unusual-archive")
            if info.compress_type == zipfile.ZIP_STORED and info.compress_size != info.file_size:
                raise refused(self._path, _("{name} does not have the size that the archive says").format(name=info.filename))
            if "\0" in info.orig_filename:
                raise refused(self._path, _("a name in it is not text"))
            check_ratio(info.file_size, info.compress_size, self._path)
        check_ratio(sum(info.file_size for info in infos), size, self._path)
        self._check_overlap(infos)

    def _check_overlap(self, infos: list[zipfile.ZipInfo]) -> None:
        """Files that share bytes of the archive are how a small one holds petabytes (D. Fifield, A better zip bomb, 2019)."""
        end = 0
        for info in sorted(infos, key=lambda info: info.header_offset):
            if info.header_offset < end:
                raise refused(self._path, _("files in it lie on top of each other"), code="archive-bomb")
            end = (
                info.header_offset + _HEADER_BYTES + len(info.orig_filename.encode("utf-8", "replace")) // 4 + info.compress_size
            )
        if end > self._zip.start_dir:
            raise broken(self._path, _("a file in it goes on past its end"))


class _Bounded:
    """A file of which no reader gets more at once than the list of a zip of `MOST_FILES` takes, whatever its length is said to be."""

    def __init__(self, file: BinaryIO, size: int, path: Path):
        self._file, self._size, self._path = file, size, path
        self.seek, self.tell, self.seekable, self.close = file.seek, file.tell, file.seekable, lambda: None

    def read(self, count: int = -1) -> bytes:
        """At most `count` bytes."""
        left = max(0, self._size - self._file.tell())
        count = left if count < 0 else min(count, left)
        if count > _MOST_LIST_BYTES:
            raise too_many(self._path)
        data = self._file.read(count)
        # zipfile makes an object of each entry of the list that it has read; there must not be millions.
        if count > 2**20 and data.count(_LIST_ENTRY) > MOST_FILES:
            raise too_many(self._path)
        return data


def _is_folder(info: zipfile.ZipInfo) -> bool:
    return info.filename.replace("\\", "/").endswith("/") or S_IFMT(info.external_attr >> 16) == S_IFDIR


def _decoder(infos: list[zipfile.ZipInfo]) -> Callable[[zipfile.ZipInfo], str]:
    """What makes text of names. Most programs that don't say which encoding they used wrote UTF-8, or that of their system."""
    raw = [name for info in infos if (name := _raw(info)) is not None and not name.isascii()]
    candidates = ["utf-8", "gb18030" if language() == "zh_CN" else "", locale.getpreferredencoding(False)]
    for encoding in filter(None, candidates):
        try:
            for name in raw:
                name.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
        return lambda info: info.filename if (name := _raw(info)) is None else name.decode(encoding)
    return lambda info: info.filename


def _raw(info: zipfile.ZipInfo) -> bytes | None:
    """The bytes of a name whose encoding is not said."""
    return None if info.flag_bits & _UTF8 else info.filename.encode("cp437", "replace")

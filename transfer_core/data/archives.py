"""Archives of pictures, unpacked into a folder of our own: hostile ones are refused whole, before anything is written."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from filelock import FileLock

from transfer_core.data.layout import ignored
from transfer_core.data.safe_names import is_device, safe_part
from transfer_core.errors import DataError, StorageError, storage_error
from transfer_core.files import sync_folder
from transfer_core.i18n import _

ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz")
MOST_FILES = 300_000
MOST_FOLDERS_DEEP = 32
# Pictures hardly shrink. What shrinks to less than this share of its size, and is large, was made to fill a disk.
MOST_RATIO = 100
RATIO_COUNTS_FROM = 64 * 1024 * 1024  # bytes
KEPT_FREE = 256 * 1024 * 1024  # bytes of the disk that are left to everything else
BLOCK = 1024 * 1024

Progress = Callable[[int, int], None]
Checkpoint = Callable[[], None]


@dataclass(frozen=True)
class Entry:
    """A file in an archive: its name as it stands there, its size unpacked, and its number there."""

    name: str
    size: int
    number: int


class Content:
    """What a file of an archive holds; what its reader trips over becomes a DataError."""

    def __init__(self, read: Callable[[int], bytes], trouble: tuple[type[Exception], ...], archive: Path):
        self._read, self._trouble, self._archive = read, trouble, archive

    def read(self, count: int) -> bytes:
        """At most `count` bytes; none at the end."""
        try:
            return self._read(count)
        except self._trouble as error:
            raise broken(self._archive, error) from error


class Archive(Protocol):
    """An archive that was opened: everything about its form is checked, its names are not."""

    entries: list[Entry]

    def contents(self) -> Iterator[tuple[Entry, Content]]:
        """Each file with what it holds, readable until the next one is asked for."""


def is_archive(path: Path) -> bool:
    """Whether the name is that of an archive which can be unpacked."""
    return path.name.lower().endswith(ENDINGS)


def title(path: Path) -> str:
    """The name of an archive without its ending."""
    ending = next((ending for ending in sorted(ENDINGS, key=len, reverse=True) if path.name.lower().endswith(ending)), "")
    return path.name[: len(path.name) - len(ending)] or path.name


def list_archive(archive: Path) -> list[str]:
    """The paths that unpacking would give, with slashes, in a fixed order; raises DataError as `unpack` would."""
    with _opened(archive) as opened:
        return sorted(_targets(opened.entries, archive).values())


def read_one(archive: Path, path: str, most: int) -> bytes:
    """What the file holds that would be unpacked to `path`, none if that is more than `most` bytes; raises DataError."""
    with _opened(archive) as opened:
        targets = _targets(opened.entries, archive)
        for entry, content in opened.contents():
            if entry.number in targets and targets[entry.number] == path:
                return content.read(entry.size) if entry.size <= most else b""
    raise DataError(_("There is no {name} in {file}.").format(name=path, file=archive), code="missing", file=archive)


def unpack(archive: Path, into: Path, progress: Progress | None = None, checkpoint: Checkpoint | None = None) -> int:
    """Unpack `archive` into the folder `into`, which must not exist; returns how many files are in it.

    `progress(done, total)` counts bytes; `checkpoint()` is called between blocks and may raise to stop. Killed or stopped at any instant,
    no part of it is at `into`: what was unpacked lies beside it under another name, and is taken away by the next call. An archive in the
    archive stays packed. Raises DataError for one that is broken, encrypted or hostile (a path that climbs out, an absolute or a device's
    name, a link, two files in one place, more than it says, a bomb), StorageError when it does not fit on the disk.
    """
    try:
        into.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(error, into.parent) from error
    with FileLock(into.parent / ".unpacking"):
        for left in into.parent.glob(".*.partial"):
            shutil.rmtree(left, ignore_errors=True)
        if into.exists():
            raise DataError(_("{folder} is there already.").format(folder=into), code="already-there", file=into)
        partial = into.with_name(f".{into.name[:80]}.partial")
        try:
            with _opened(archive) as opened:
                targets = _targets(opened.entries, archive)
                _check_space(opened.entries, into.parent, archive)
                _write_all(opened, targets, partial, archive, progress, checkpoint)
            partial.replace(into)
            sync_folder(into.parent)
        except OSError as error:
            raise storage_error(error, into) from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return len(targets)


@contextmanager
def _opened(archive: Path) -> Iterator[Archive]:
    """The archive, opened by what its name says it is; what its reader trips over becomes a DataError."""
    from transfer_core.data.tars import TarArchive
    from transfer_core.data.zips import ZipArchive

    kind = ZipArchive if archive.name.lower().endswith(".zip") else TarArchive
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(archive.open("rb"))
        except OSError as error:
            raise DataError(
                _("The archive {file} can't be read: {reason}.").format(file=archive, reason=error.strerror or error),
                code="unreadable-archive",
                file=archive,
                fix=_("Check that it is there and that you may read it."),
            ) from error
        yield kind(file, archive)


def _targets(entries: list[Entry], archive: Path) -> dict[int, str]:
    """Where each file goes, by its number; raises DataError when a single name of the archive is not one to be trusted."""
    if len(entries) > MOST_FILES:
        raise too_many(archive)
    targets: dict[int, str] = {}
    places: dict[str, str] = {}
    for entry in entries:
        parts = name_parts(entry.name, archive)
        if not parts or any(ignored(part) for part in parts):
            continue
        path = "/".join(safe_part(part) for part in parts)
        place = path.casefold()
        if place in places:
            raise refused(
                archive,
                _("two files would lie in one place, {first} and {second}").format(first=places[place], second=entry.name),
            )
        places[place] = entry.name
        targets[entry.number] = path
    folders = {above for place in places for above in _folders_above(place)}
    for place in folders & places.keys():
        raise refused(archive, _("{name} is both a file and a folder").format(name=places[place]))
    if not targets:
        raise DataError(
            _("There are no files in the archive {file}.").format(file=archive),
            code="empty-archive",
            file=archive,
            fix=_("Pack the folder that holds the pictures anew."),
        )
    return targets


def _folders_above(path: str) -> Iterator[str]:
    folder = path.rpartition("/")[0]
    while folder:
        yield folder
        folder = folder.rpartition("/")[0]


def name_parts(name: str, archive: Path) -> list[str]:
    """The folders and the name of a file, checked on every system for what is dangerous on any."""
    plain = name.replace("\\", "/")
    if "\0" in name or any("\ud800" <= sign <= "\udfff" for sign in name):
        raise refused(archive, _("a name in it is not text"))
    if plain.startswith("/") or (len(plain) > 1 and plain[1] == ":" and plain[0].isalpha()):
        raise refused(archive, _("{name} names a place outside of it").format(name=name))
    parts = [part for part in plain.split("/") if part not in ("", ".")]
    # Windows leaves out dots and blanks at the end of a name, which makes "..  " another way to write "..".
    if any(not part.strip(" .") for part in parts):
        raise refused(archive, _("{name} climbs out of it").format(name=name))
    if any(is_device(part) for part in parts):
        raise refused(archive, _("{name} is the name of a device").format(name=name))
    if len(parts) > MOST_FOLDERS_DEEP:
        raise refused(archive, _("its folders are nested more than {most} deep").format(most=MOST_FOLDERS_DEEP))
    return parts


def check_ratio(size: int, packed: int, archive: Path) -> None:
    """Raise DataError when so many bytes can't honestly have come out of so few."""
    if size > RATIO_COUNTS_FROM and size > MOST_RATIO * max(1, packed):
        raise refused(
            archive,
            _("it would grow to more than {ratio} times its size, which pictures don't").format(ratio=MOST_RATIO),
            code="archive-bomb",
        )


def _check_space(entries: list[Entry], folder: Path, archive: Path) -> None:
    need = sum(entry.size for entry in entries)
    free = shutil.disk_usage(folder).free - KEPT_FREE
    if need > free:
        raise StorageError(
            _("Unpacking {file} needs {need} MB, and {free} MB are free.").format(
                file=archive, need=need // 2**20 + 1, free=max(0, free) // 2**20
            ),
            code="disk-full",
            file=archive,
            fix=_("Free some space on this disk, or set TRANSFER_STUDIO_HOME to a folder on a larger one."),
        )


def _write_all(
    opened: Archive,
    targets: dict[int, str],
    partial: Path,
    archive: Path,
    progress: Progress | None,
    checkpoint: Checkpoint | None,
) -> None:
    total = sum(entry.size for entry in opened.entries if entry.number in targets)
    done = 0
    partial.mkdir()
    for entry, content in opened.contents():
        if entry.number not in targets:
            continue
        path = partial / targets[entry.number]
        path.parent.mkdir(parents=True, exist_ok=True)
        written = 0
        with path.open("xb") as file:
            while block := content.read(BLOCK):
                written += len(block)
                if written > entry.size:
                    raise refused(archive, _("{name} holds more than the archive says").format(name=entry.name))
                file.write(block)
                if checkpoint:
                    checkpoint()
                if progress:
                    progress(done + written, total)
        if written != entry.size:
            raise refused(archive, _("{name} holds less than the archive says").format(name=entry.name), code="broken-archive")
        done += written


def refused(archive: Path, reason: str, code: str = "hostile-archive") -> DataError:
    """The error for an archive of which nothing is taken."""
    return DataError(
        _("The archive {file} was refused, and nothing of it was unpacked: {reason}.").format(file=archive, reason=reason),
        code=code,
        file=archive,
        fix=_("Pack the pictures anew as an ordinary zip, or unpack it yourself and open the folder."),
    )


def broken(archive: Path, reason: object) -> DataError:
    """The error for an archive that can't be read to its end."""
    return refused(archive, _("it is broken ({reason})").format(reason=reason), code="broken-archive")


def too_many(archive: Path) -> DataError:
    """The error for an archive of more files than can be meant."""
    return refused(archive, _("it has more than {most} files").format(most=f"{MOST_FILES:,}"), code="archive-bomb")

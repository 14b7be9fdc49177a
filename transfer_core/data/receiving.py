"""Pictures that come in over the page's address: onto the disk as they arrive, whole or not at all, and never twice."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import threading
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import BinaryIO, Self

from transfer_core.data.archives import is_archive
from transfer_core.data.edits import class_name
from transfer_core.data.project import FILE, Project
from transfer_core.data.reading import Reading, Source
from transfer_core.data.safe_names import is_device, safe_part
from transfer_core.data.sources import unpacked_from
from transfer_core.errors import FULL_DISK, DataError, StorageError, TransferError, storage_error
from transfer_core.files import read_json, sync_folder, write_json
from transfer_core.i18n import _
from transfer_core.images.formats import EXTENSIONS, MAX_BYTES
from transfer_core.places import home

MOST_ARCHIVE = 50 * 2**30  # bytes of a zip; whether it has room, packed and unpacked, is asked as well
MOST_FOLDERS = 8  # above a picture; Windows takes 260 characters in all
SAME_TIME = 2000  # milliseconds: the times of files are that coarse on memory cards
RESERVE = 500 * 10**6  # bytes of the disk that an upload leaves free
STALE = 7 * 86400  # seconds after which the beginning of a file that was never finished is thrown away

_lock = threading.Lock()
_arriving: set[Path] = set()


class Door(StrEnum):
    """How pictures come in: what the folders above them mean, and where they go in the project."""

    FOLDER = "uploads"  # a folder as it lies on the other side, which becomes a source by its name
    CLASS = "added"  # into a class, the first part of the path
    CAMERA = "camera"  # into a class, as they are taken
    ARCHIVE = "archives"  # a zip, to be unpacked


@dataclass(frozen=True)
class Announced:
    """A file as the other side tells of it: its path there, its bytes, and its last change in milliseconds since 1970."""

    path: str
    size: int
    modified: int = 0


def upload_project(name: str, browser: str = "") -> Project:
    """A new project of this name for pictures to come, or the one whose pictures under this name stopped coming half-way.

    `browser` tells those who send apart: what one of them began, no other goes on with.
    """
    begun = {"name": name, "browser": browser}
    for file in sorted(home().glob(f"*/{FILE}")) if home().is_dir() else []:
        try:
            if read_json(_unfinished(file.parent), DataError) == begun:
                return Project.open(file.parent)
        except TransferError:
            continue
    project = Project.create(name.strip()[:200] or _("pictures"), [])
    _unfinished(project.folder).parent.mkdir(parents=True, exist_ok=True)
    write_json(_unfinished(project.folder), begun)
    return project


def all_arrived(project: Project) -> Source | None:
    """Note that nothing more is to come: the next upload of the same name makes a project of its own.

    Folders and archives that are new are read in the likeliest way; returns one of them whose classes can be told in several, if there is.
    A project that was made for an upload of which nothing was taken goes to the trash.
    """
    if _unfinished(project.folder).exists() and not project.sources:
        project.delete()
        return None
    _unfinished(project.folder).unlink(missing_ok=True)
    for source in project.sources:
        if source.place.is_relative_to(project.folder) and source.reading.kind != "class":
            for folder in (source.folder, *(entry for entry in source.folder.rglob("*") if entry.is_dir())):
                if folder.is_dir():
                    sync_folder(folder)
    unclear = read_likeliest(project)
    with _lock:
        asked = {_name_of(project, source): True for source in unclear}
        _write_unread(project, {name: True for name in _unread(project) if name in asked})
    return unclear[-1] if unclear else None


def read_likeliest(project: Project) -> list[Source]:
    """Have folders and archives that came, and of which nobody said yet how their classes are told, read in the likeliest way.

    Returns those whose classes can be told in several. It is a guess at what is here by now: until `all_arrived`, the next may differ.
    """
    from transfer_core.data.guess import guess  # here: it loads NumPy, which the home page does without

    unread, unclear = _unread(project), []
    for number, source in enumerate(project.sources):
        asked = unread.get(_name_of(project, source))
        # Once somebody was asked, and it was looked through, it was by the answer.
        if asked is None or (asked and project.table.knows_source(number)):
            continue
        found = guess(source.folder if source.folder.is_dir() else source.place)
        project.read_as(source.folder, found.best)
        if found.unclear:
            unclear.append(project.sources[number])
    return unclear


def is_here(project: Project, door: Door, announced: Announced) -> bool:
    """Whether the file came before: one of its name, size and time lies where it would go, or was unpacked from there."""
    target = _target(project, door, announced.path)
    return _same(target, announced) is not None or (door is Door.ARCHIVE and _was_unpacked(project, target, announced))


def arrived_part(project: Project, door: Door, announced: Announced) -> int:
    """How many of the file's bytes came before its way was cut off."""
    try:
        return _partial(project, door, announced).stat().st_size
    except OSError:
        return 0


class Incoming:
    """A file on its way in: `write` what comes, then `finish`. Left early, what came stays, to go on from.

    Names are text from outside: what could climb out of the project's folder is taken away. `offset` says how much of the file came
    before. Raises DataError for what is no picture, too large, on its way already, or goes on from elsewhere than where it stopped;
    StorageError when the disk is full.
    """

    def __init__(self, project: Project, door: Door, announced: Announced, offset: int = 0):
        self._project = project
        self._door = door
        self._announced = announced
        self._target = _target(project, door, announced.path)
        _check(door, announced, self._target)
        self._partial = _partial(project, door, announced)
        self.received = offset
        with _lock:
            if self._partial in _arriving:
                raise DataError(
                    _("{name} is on its way already.").format(name=announced.path),
                    code="on-its-way",
                    file=announced.path,
                    fix=_("Another page sends it: wait until it is done."),
                )
            _arriving.add(self._partial)
        try:
            self._file = self._open(offset)
        except BaseException:
            _arriving.discard(self._partial)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()
        _arriving.discard(self._partial)

    def write(self, data: bytes) -> None:
        """Append what came; raises DataError when it is more than was announced, and StorageError."""
        if self.received + len(data) > self._announced.size:
            self._file.close()
            self._partial.unlink(missing_ok=True)
            raise DataError(
                _("{name} is larger than was announced.").format(name=self._announced.path),
                code="not-as-announced",
                file=self._announced.path,
                fix=_("It may have been changed meanwhile: send it again."),
            )
        try:
            self._file.write(data)
        except OSError as error:
            raise self._refused(error) from error
        self.received += len(data)

    def whole(self) -> bool:
        """Whether all of it is here."""
        return self.received == self._announced.size

    def finish(self) -> Path:
        """Put the file into its place and say where that is: beside others of its name, over none. Raises StorageError."""
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            if self._announced.modified > 0:
                # A time beyond what the file system can tell is no reason to lose a picture.
                with contextlib.suppress(OverflowError):
                    os.utime(self._partial, (self._announced.modified / 1000,) * 2)
            with _lock:  # or two of one name would both find it free
                place = _free(_with_folders(self._target, _root(self._project, self._door)))
                self._partial.replace(place)
                _register(self._project, self._door, place, self._announced.path)
        except OSError as error:
            raise self._refused(error) from error
        return place

    def _open(self, offset: int) -> BinaryIO:
        room = shutil.disk_usage(self._project.folder).free - (self._announced.size - offset)
        if room < RESERVE:
            raise _no_room(self._announced.path)
        there = arrived_part(self._project, self._door, self._announced)
        if offset not in (0, there):
            raise DataError(
                _("{name} can't go on from there: {count} bytes of it have arrived.").format(
                    name=self._announced.path, count=there
                ),
                code="other-offset",
                file=self._announced.path,
            )
        try:
            self._partial.parent.mkdir(parents=True, exist_ok=True)
            return self._partial.open("ab" if offset else "wb")
        except OSError as error:
            raise self._refused(error) from error

    def _refused(self, error: OSError) -> StorageError:
        return _no_room(self._announced.path) if error.errno in FULL_DISK else storage_error(error, self._target)


def forget_unpacked(project: Project) -> None:
    """Throw away archives that were sent and lie unpacked in the project, where they would take their room twice."""
    for source in project.sources:
        if source.archive and source.archive.parent == _root(project, Door.ARCHIVE) and unpacked_from(source):
            source.archive.unlink(missing_ok=True)


def forget_old_parts(project: Project) -> None:
    """Throw away the beginnings of files that nobody went on with for a week."""
    for part in _arriving_folder(project.folder).glob("*.partial"):
        with contextlib.suppress(OSError):  # one that is finished just now
            if time.time() - part.stat().st_mtime > STALE:
                part.unlink()


def _plain(part: str) -> str:
    name = safe_part(part)
    return f"_{name}" if is_device(name) else name


def _check(door: Door, announced: Announced, target: Path) -> None:
    if door is Door.ARCHIVE and is_archive(target):
        most = MOST_ARCHIVE
    elif target.suffix.lower() in EXTENSIONS:
        most = MAX_BYTES
    else:
        raise DataError(
            _("{name} is not a picture that can be read.").format(name=announced.path),
            code="not-a-picture",
            file=announced.path,
            fix=_("Pictures are JPEG, PNG, WebP, BMP, GIF or TIFF files."),
        )
    if not 0 <= announced.size <= most:
        raise DataError(
            _("{name} is larger than {most} MB.").format(name=announced.path, most=most // 2**20),
            code="too-large",
            file=announced.path,
            fix=_("Make it smaller, and send it again."),
        )


def _root(project: Project, door: Door) -> Path:
    return project.folder / door.value


def _target(project: Project, door: Door, given: str) -> Path:
    """Where the file belongs, if nothing else lies there."""
    label, _slash, rest = given.partition("/") if door in (Door.CLASS, Door.CAMERA) else ("", "", given)
    parts = [_plain(part) for part in PurePosixPath(rest.replace("\\", "/")).parts if part not in ("/", ".", "..")]
    if door is Door.ARCHIVE:
        return _root(project, door) / (parts[-1] if parts else "_")
    if door is not Door.FOLDER:
        parts = [_class_folder(class_name(label)), *parts] if label.strip() else []
    if len(parts) < 2:
        raise DataError(
            _("{name} came without the name of its class.").format(name=given or _("A file")),
            code="no-class",
            file=given,
            fix=_("Say which class it belongs to."),
        )
    return _root(project, door).joinpath(*parts[:-1][:MOST_FOLDERS], parts[-1])


def _class_folder(label: str) -> str:
    """A folder's name for a class: its own where every system takes it, else one that no other class gets."""
    name = _plain(label)
    return name if name == label else f"{name} {hashlib.sha256(label.encode()).hexdigest()[:8]}"


def _with_folders(target: Path, root: Path) -> Path:
    """`target` under folders that exist: where a file lies in the place of one, it gets another name."""
    folder = root
    for part in target.relative_to(root).parts[:-1]:
        folder = folder / part
        while folder.is_file():
            folder = folder.with_name(folder.name + "_")
    folder.mkdir(parents=True, exist_ok=True)
    return folder / target.name


def _free(path: Path) -> Path:
    free, number = path, 2
    while free.exists():
        free, number = path.with_stem(f"{path.stem} {number}"), number + 1
    return free


def _same(target: Path, announced: Announced) -> Path | None:
    """The file at `target`, or one that was put beside it under a numbered name, that is the one announced."""
    found, number = target, 2
    while True:
        try:
            status = found.stat()
        except OSError:
            return None
        if _alike(status.st_size, status.st_mtime_ns, announced):
            return found
        found, number = target.with_stem(f"{target.stem} {number}"), number + 1


def _was_unpacked(project: Project, target: Path, announced: Announced) -> bool:
    known = ((source.archive, unpacked_from(source)) for source in project.sources)
    return any(
        archive is not None
        and stamp is not None
        and (archive.parent, archive.suffix) == (target.parent, target.suffix)
        and archive.stem.startswith(target.stem)  # it may have been numbered
        and _alike(stamp["size"], stamp["mtime_ns"], announced)
        for archive, stamp in known
    )


def _alike(size: int, mtime_ns: int, announced: Announced) -> bool:
    return size == announced.size and (not announced.modified or abs(mtime_ns / 1e6 - announced.modified) <= SAME_TIME)


def _register(project: Project, door: Door, place: Path, given: str) -> None:
    """Make what `place` is or lies in a source of the project, if it is none yet. Raises DataError for an archive that is refused."""
    if door is Door.ARCHIVE:
        try:
            source = project.source_of(place)
            project.add_source(source)
        except DataError:
            place.unlink()
            raise
        _note_unread(project, source)
        return
    root = _root(project, door)
    folder = root / place.relative_to(root).parts[0]
    if folder in [source.folder for source in project.sources]:
        return
    reading = Reading() if door is Door.FOLDER else Reading("class", label=class_name(given.partition("/")[0]))
    try:
        project.add_source(Source(folder, reading=reading))
        if door is Door.FOLDER:
            _note_unread(project, Source(folder))
    except DataError as error:
        if error.code != "already-there":  # another page may have added it meanwhile
            raise


def _partial(project: Project, door: Door, announced: Announced) -> Path:
    identity = json.dumps([door.value, announced.path, announced.size, announced.modified])
    return _arriving_folder(project.folder) / f"{hashlib.sha256(identity.encode()).hexdigest()[:32]}.partial"


def _arriving_folder(folder: Path) -> Path:
    return folder / "cache" / "arriving"


def _unfinished(folder: Path) -> Path:
    return _arriving_folder(folder) / "unfinished.json"


def _note_unread(project: Project, source: Source) -> None:
    """Remember, in `unread.json`, that nobody said yet how the classes of `source` are told. Call with the lock held."""
    _write_unread(project, _unread(project) | {_name_of(project, source): False})


def _unread(project: Project) -> dict[str, bool]:
    """Whether it was asked, by source, how its classes are told: of those where nobody said so yet."""
    try:
        found = read_json(_arriving_folder(project.folder) / "unread.json", DataError)
    except TransferError:
        return {}
    return found if isinstance(found, dict) else {}


def _write_unread(project: Project, unread: dict[str, bool]) -> None:
    file = _arriving_folder(project.folder) / "unread.json"
    if unread:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json(file, unread)
    else:
        file.unlink(missing_ok=True)


def _name_of(project: Project, source: Source) -> str:
    return source.folder.relative_to(project.folder).as_posix() if source.folder.is_relative_to(project.folder) else ""


def _no_room(name: str) -> StorageError:
    return StorageError(
        _("The disk of the computer that runs Transfer Studio is full: {name} has no room.").format(name=name),
        code="disk-full",
        file=name,
        fix=_("Free some space there, then send the pictures again: what has arrived is kept."),
    )

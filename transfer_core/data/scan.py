"""Reading a data folder into the sample table; only what is new or changed is read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transfer_core.data.layout import Found, walk
from transfer_core.data.settle import settle
from transfer_core.errors import DataError, ImageError
from transfer_core.i18n import _
from transfer_core.images.decode import EXTENSIONS, MAX_BYTES, inspect, open_rgb
from transfer_core.rows import KEY_BYTES

if TYPE_CHECKING:
    from transfer_core.data.project import Project

BATCH = 512
THREADS = 4

# First bytes of the formats that are read, for pictures whose name has lost its extension.
_MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"RIFF", b"BM", b"GIF8", b"II*\x00", b"MM\x00*")
_PHONE = frozenset({".heic", ".heif", ".avif"})


@dataclass(frozen=True)
class ScanReport:
    """What a scan found: pictures in use, files left out, classes, and how many were read anew."""

    images: int
    left_out: int
    classes: int
    read: int


def scan(
    project: Project,
    progress: Callable[[int, int], None] | None = None,
    checkpoint: Callable[[], None] | None = None,
) -> ScanReport:
    """Bring the project's table in step with its folders, and give every picture a split.

    `progress(done, total)` counts files; `checkpoint()` is called between batches and may raise to stop. A bad file is left out with its
    reason and stops nothing. Raises DataError when a source folder is missing. Time: one read and hash of what changed.
    """
    table = project.table
    known = table.known()
    seen: set[tuple[int, str]] = set()
    changed: list[tuple[int, Found, int, int]] = []
    for number, source in enumerate(project.sources):
        for found in walk(source.folder, source.split):
            key = (number, found.relative)
            seen.add(key)
            size, mtime = _stat(found.path)
            old = known.get(key)
            if old is None or old[1:] != (size, mtime, found.label, found.split, None):
                changed.append((number, found, size, mtime))
    gone = [known[key][0] for key in known if key not in seen]
    done = 0
    with ThreadPoolExecutor(THREADS) as pool:
        for batch in _batches(changed):
            if checkpoint:
                checkpoint()
            table.replace(pool.map(_read, batch))
            done += len(batch)
            if progress:
                progress(done, len(changed))
    if gone:
        table.replace([], gone)
    # Also where an earlier scan was ended before it came to this.
    if not table.settled():
        settle(table, project.shares)
    classes = table.classes()
    return ScanReport(table.count(), table.count(state="out"), len(classes), len(changed))


def check_trainable(project: Project) -> None:
    """Raise DataError unless there are two classes with pictures to learn from: a validation set alone teaches nothing."""
    classes = [count for count in project.table.classes() if count.train]
    folder = project.sources[0].folder if project.sources else project.folder
    if not classes:
        left_out = project.table.count(state="out")
        raise DataError(
            _("There are no pictures to learn from in {folder}.").format(folder=folder),
            code="no-images",
            file=folder,
            fix=_("Choose a folder that holds one sub-folder of pictures per class.")
            + (" " + _("{count} files were left out; the Data page says why.").format(count=left_out) if left_out else ""),
        )
    if len(classes) == 1:
        raise DataError(
            _("There is only one class, {label}.").format(label=classes[0].label),
            code="one-class",
            file=folder,
            fix=_("Add a second sub-folder with pictures of something else: a classifier needs at least two classes."),
        )


def _batches(items: Iterable[Any]) -> Iterator[list[Any]]:
    iterator = iter(items)
    while batch := list(islice(iterator, BATCH)):
        yield batch


def _stat(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_size, status.st_mtime_ns


def _read(item: tuple[int, Found, int, int]) -> dict[str, Any]:
    number, found, size, mtime = item
    row: dict[str, Any] = {
        "source": number,
        "relative": found.relative,
        "given_label": found.label,
        "given_split": found.split,
        "given_group": None,
        "content": None,
        "size": size,
        "mtime_ns": mtime,
        "width": None,
        "height": None,
        "format": None,
        "mode": None,
        "orientation": None,
        "animated": False,
        "taken": None,
        "problem": found.reason,
    }
    if found.reason is None:
        try:
            row |= _look_at(found.path, size)
        except ImageError as error:
            row["problem"] = error.message
        except OSError as error:
            row["problem"] = _("it can't be read: {reason}").format(reason=error.strerror or error)
            row["mtime_ns"] = 0  # a permission that is given later changes neither size nor time: try again at every scan
    return row


def _look_at(path: Path, size: int) -> dict[str, Any]:
    """Content hash and header of a picture; raises ImageError when it can't be used."""
    name = path.name
    extension = path.suffix.lower()
    if extension in _PHONE:
        raise ImageError(_("it is a {format} picture, which can't be read yet").format(format=extension[1:].upper()), file=path)
    if size == 0:
        raise ImageError(_("the file is empty"), file=path)
    if size > MAX_BYTES:
        raise ImageError(_("it is larger than {limit} MB").format(limit=MAX_BYTES // 2**20), file=path)
    if not may_be_picture(path):
        raise ImageError(_("it is not a picture"), file=path)
    data = path.read_bytes()
    header = inspect(data, name)
    if _may_be_cut_off(data, header.format):
        open_rgb(data, name=name)
    content = hashlib.blake2b(data, digest_size=KEY_BYTES).hexdigest()
    return {"content": content, **asdict(header)}


def may_be_picture(path: Path) -> bool:
    """Whether the name, or else the first bytes, are those of a format that is read; raises OSError when the file can't be read."""
    if path.suffix.lower() in EXTENSIONS:
        return True
    with path.open("rb") as file:
        return file.read(8).startswith(_MAGIC)


def _may_be_cut_off(data: bytes, format: str) -> bool:
    """Whether the end is not what a whole file has, so that decoding is worth its time already now."""
    tail = data[-64:]
    if format in ("JPEG", "MPO"):
        return b"\xff\xd9" not in tail
    if format == "PNG":
        return b"IEND" not in tail
    return format in ("GIF", "WEBP", "TIFF", "BMP") and len(data) < 1_000_000


def missing_folder(folder: Path) -> DataError:
    """The error for a source folder that is not where it was."""
    return DataError(
        _("The pictures' folder {folder} is not where it was.").format(folder=folder),
        code="source-moved",
        file=folder,
        fix=_("Say where it is now on the Data page; nothing else is lost."),
    )

"""The cleaned set, taken elsewhere: as a table, or as copies in a folder per class. The pictures themselves stay where and as they are."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from transfer_core.data.folder_names import folder_names
from transfer_core.data.project import Project
from transfer_core.data.samples import Sample
from transfer_core.data.scan import missing_folder
from transfer_core.errors import DataError, TransferError, storage_error
from transfer_core.files import as_cell, read_json, write_json, write_whole
from transfer_core.i18n import _

COLUMNS = ("file", "label", "split", "given_label")
MARK = ".unfinished-export.json"
PARTIAL = ".partial"


@dataclass(frozen=True)
class Copied:
    """What an export to folders did: `missing` are pictures that could not be read, with the reasons; `renamed` are folders by class."""

    folder: Path
    pictures: int
    missing: list[tuple[str, str]]
    renamed: dict[str, str]

    def as_data(self) -> dict[str, Any]:
        """Plain data, for a report."""
        return asdict(self) | {"folder": str(self.folder)}


def write_csv(project: Project, file: BinaryIO) -> int:
    """The pictures in use as a table in UTF-8, one line each, and how many there are. Labels are text in it and never formulas.

    `file` is the whole path, `given_label` what the source says where an edit says otherwise.
    """
    text = io.TextIOWrapper(file, encoding="utf-8", errors="backslashreplace", newline="", write_through=True)
    table = csv.writer(text)
    table.writerow(COLUMNS)
    count = 0
    with project.table.still() as (_labels, samples):
        for sample in samples:
            count += 1
            given = sample.given_label if sample.given_label != sample.label else None
            table.writerow([as_cell(cell or "") for cell in (str(sample.path), sample.label, sample.split, given)])
    text.flush()
    text.detach()  # or it would close the file with itself
    return count


def to_csv(project: Project, file: Path) -> int:
    """`write_csv` into a new `file`, whole; raises DataError (file-exists) for one that is there, StorageError."""
    if file.exists():
        raise DataError(
            _("{file} is already there.").format(file=file),
            code="file-exists",
            file=file,
            fix=_("Give another name: nothing is overwritten."),
        )
    written = 0

    def write(opened: BinaryIO) -> None:
        nonlocal written
        written = write_csv(project, opened)

    write_whole(file, write)
    return written


def to_folders(
    project: Project,
    folder: Path,
    by_split: bool = False,
    progress: Callable[[int, int], None] | None = None,
    checkpoint: Callable[[], None] | None = None,
) -> Copied:
    """Copy the pictures in use into `folder`, one folder a class; with `by_split` those stand in train, val and test.

    `folder` is new, empty, or one where this project's export was broken off, which goes on. Names of classes are made safe for every
    system and pictures of one name numbered. `progress(done, total)` counts pictures, `checkpoint()` may raise to stop. A picture that
    can't be read is told and stops nothing. Raises DataError for a folder that may not be written to, StorageError when the disk refuses.
    """
    for gone in project.missing_sources():
        raise missing_folder(gone)
    check_target(project, folder, by_split)
    total = project.table.count()
    missing: list[tuple[str, str]] = []
    copied = 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / MARK, _mark(project, by_split))
        with project.table.still() as (labels, samples):
            names = folder_names(labels)
            for done, (sample, target) in enumerate(_targets(samples, folder, names, by_split), 1):
                if checkpoint:
                    checkpoint()
                reason = _copy(sample.path, target)
                copied += reason is None
                if reason:
                    missing.append((sample.relative, reason))
                if progress and (done % 50 == 0 or done == total):
                    progress(done, total)
        (folder / MARK).unlink()
    except OSError as error:
        raise storage_error(error, folder) from error
    return Copied(folder, copied, missing, {label: name for label, name in names.items() if name != label})


def check_target(project: Project, folder: Path, by_split: bool = False) -> None:
    """Raise DataError unless the pictures may be copied into `folder`: it is new, empty, or this project's own unfinished export."""
    where = folder.absolute()
    for own in [project.folder, *(source.folder for source in project.sources)]:
        if where.is_relative_to(own):
            raise DataError(
                _("{folder} lies inside {own}, where copies would be taken for new pictures.").format(folder=folder, own=own),
                code="inside-source",
                file=folder,
                fix=_("Choose a new folder somewhere else."),
            )
    if not folder.exists():
        return
    if not folder.is_dir():
        raise DataError(_("{folder} is not a folder.").format(folder=folder), code="not-a-folder", file=folder)
    try:
        there = sorted(each.name for each in folder.iterdir())
        unfinished = MARK in there and read_json(folder / MARK) == _mark(project, by_split)
    except OSError as error:
        raise storage_error(error, folder) from error
    except TransferError:  # a mark that is not ours
        unfinished = False
    if there and not unfinished:
        raise DataError(
            _("{folder} is not empty.").format(folder=folder),
            code="not-empty",
            file=folder,
            fix=_("Choose a new folder: nothing is overwritten, and nothing else ends up among the pictures."),
        )


def _mark(project: Project, by_split: bool) -> dict[str, Any]:
    """What an unfinished export says of itself: with other pictures, classes or splits it is another one, and can't be gone on with."""
    return {"project": str(project.folder), "by_split": by_split, "fingerprint": project.table.fingerprint()}


def _targets(samples: Iterable[Sample], folder: Path, names: dict[str, str], by_split: bool) -> Iterator[tuple[Sample, Path]]:
    """Where each picture's copy goes: told by the table alone, so that an export that is gone on with puts it there again."""
    taken: set[tuple[str, str]] = set()
    for sample in samples:
        parent = folder / (sample.split or "train") if by_split else folder
        parent /= names[sample.label or ""]
        name, number = sample.path.name, 2
        while (str(parent), name.casefold()) in taken:
            name, number = f"{sample.path.stem} ({number}){sample.path.suffix}", number + 1
        taken.add((str(parent), name.casefold()))
        yield sample, parent / name


def _copy(file: Path, target: Path) -> str | None:
    """Copy `file` to `target`, whole; what is there already was copied before. Returns the reason why it can't be read, if it can't."""
    if target.exists():
        return None
    try:
        data = file.read_bytes()
    except OSError as error:
        return error.strerror or str(error)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.parent / PARTIAL
    partial.write_bytes(data)
    shutil.copystat(file, partial)
    partial.rename(target)
    return None

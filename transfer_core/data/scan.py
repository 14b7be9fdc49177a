"""Reading a data folder into the sample table; only what is new or changed is read."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from transfer_core.data.file_facts import Facts
from transfer_core.data.layout import Found
from transfer_core.data.readers import File, readers
from transfer_core.data.reading import Source
from transfer_core.data.settle import settle
from transfer_core.data.sources import found_in
from transfer_core.data.tables import beside
from transfer_core.errors import DataError
from transfer_core.i18n import _

if TYPE_CHECKING:
    from transfer_core.data.project import Project

BATCH = 1024
# Seconds of reading that are lost if the process is killed; many rows at once are written in half the time.
WRITE_EVERY = 1.0


class _Item(NamedTuple):
    """A file to be read, as small as can be: at first these are all files there are."""

    source: int
    file: File
    relative: str
    label: str | None
    split: str | None
    group: str | None
    mtime_ns: int

    @classmethod
    def of(cls, source: int, found: Found, size: int, mtime_ns: int) -> _Item:
        label = found.label and sys.intern(found.label)
        file = File(str(found.path), size, found.reason)
        return cls(source, file, found.relative, label, found.split, found.group, mtime_ns)


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
    rows: list[dict[str, Any]] = []
    done, written = 0, time.monotonic()
    with readers() as read:
        # Read from the first one on, while the others are still looked for.
        items = _changed(project, known)
        batches = iter(lambda: list(islice(items, BATCH)), [])
        begun = deque((batch, read([item.file for item in batch])) for batch in batches)
        changed = sum(len(batch) for batch, _answer in begun)
        try:
            while begun:
                if checkpoint:
                    checkpoint()
                batch, facts = begun.popleft()
                rows += (_row(item, each) for item, each in zip(batch, facts(), strict=True))
                done += len(batch)
                if time.monotonic() - written > WRITE_EVERY:
                    table.replace(rows)
                    rows, written = [], time.monotonic()
                if progress:
                    progress(done, changed)
        finally:
            if rows:
                table.replace(rows)
    if known:
        table.replace([], [row[0] for row in known.values()])
    # Also where an earlier scan was ended before it came to this.
    if not table.settled():
        settle(table, project.shares)
    classes = table.classes()
    return ScanReport(table.count(), table.count(state="out"), len(classes), changed)


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


def _changed(project: Project, known: dict[tuple[int, str], tuple[Any, ...]]) -> Iterator[_Item]:
    """The files that are not as they were; those that are there are taken out of `known`."""
    for number, found in _all_found(project.sources):
        size, mtime = _stat(found.path)
        old = known.pop((number, found.relative), None)
        if old is None or old[1:] != (size, mtime, found.label, found.split, found.group):
            yield _Item.of(number, found, size, mtime)


def _all_found(sources: Sequence[Source]) -> Iterator[tuple[int, Found]]:
    """The files of all sources by their source's number, and the pictures beside those of tables that no source has."""
    with_tables = any(source.reading.kind == "table" for source in sources)
    of_tables: dict[int, list[Found]] = {}
    named: set[str] = set()
    for number, source in enumerate(sources):
        for found in found_in(source):
            yield number, found
            if with_tables:
                named.add(str(found.path))
            if source.reading.kind == "table":
                of_tables.setdefault(number, []).append(found)
    for number, all_of_it in of_tables.items():
        for found in beside(sources[number].folder, all_of_it, named):
            named.add(str(found.path))  # of two tables for one folder, the first tells it
            yield number, found


def _stat(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_size, status.st_mtime_ns


def _row(item: _Item, facts: Facts) -> dict[str, Any]:
    return {
        "source": item.source,
        "relative": item.relative,
        "given_label": item.label,
        "given_split": item.split,
        "given_group": item.group,
        "size": item.file.size,
        # A permission that is given later changes neither size nor time: such a file is tried again at every scan.
        "mtime_ns": 0 if facts.forbidden else item.mtime_ns,
        **facts.columns,
    }


def missing_folder(folder: Path) -> DataError:
    """The error for a source folder that is not where it was."""
    return DataError(
        _("The pictures' folder {folder} is not where it was.").format(folder=folder),
        code="source-moved",
        file=folder,
        fix=_("Say where it is now on the Data page; nothing else is lost."),
    )

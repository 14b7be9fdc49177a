"""Whether files changed since they were looked at, so that what follows from them is worked out again only then."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from transfer_core.data.project import Project

Stamp = tuple[tuple[int, int], ...]


def stamp(*files: Path) -> Stamp:
    """Time and size of each file, zeros for one that is not there: another one when any of them changed."""
    return tuple(_of(file) for file in files)


def table_stamp(project: Project, *files: Path) -> Stamp:
    """The stamp of a project's table, its write-ahead log included, and of `files`."""
    table = project.table.file
    return stamp(table, Path(f"{table}-wal"), *files)


def fingerprint(project: Project) -> str:
    """Of the pictures as they are now; worked out again only when the table's files changed."""
    return _fingerprint_of(project.folder, table_stamp(project))


@lru_cache(20)
def _fingerprint_of(folder: Path, changed: Stamp) -> str:
    return Project.open(folder).table.fingerprint()


def _of(file: Path) -> tuple[int, int]:
    try:
        status = file.stat()
    except OSError:
        return (0, 0)
    return (status.st_mtime_ns, status.st_size)

"""The doors: what a folder, an archive or a table becomes as a source, and the files that a source has."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

from transfer_core.data import archives, layout, tables
from transfer_core.data.archives import Checkpoint, Progress
from transfer_core.data.layout import Found, check_folder, files_below
from transfer_core.data.names import by_names, pattern
from transfer_core.data.reading import Reading, Source
from transfer_core.errors import DataError, TransferError
from transfer_core.files import read_json, write_json
from transfer_core.i18n import _


def found_in(source: Source) -> Iterator[Found]:
    """Every file of `source` with its class, split and group, as its reading tells them; an archive is unpacked first.

    Raises DataError when the folder or the table is not there or can't be read, and what `archives.unpack` raises.
    """
    bring_in(source)
    for found in _read(source):
        if found.reason is None and archives.is_archive(found.path):
            found = replace(
                found, reason=_("it is an archive among the pictures, which is not opened: unpack it, or add it by itself")
            )
        yield found


def _read(source: Source) -> Iterator[Found]:
    reading = source.reading
    if reading.kind == "table" and reading.table and reading.columns:
        yield from tables.walk_table(source.folder, table_file(source), reading.columns, source.split, reading.group)
    elif reading.kind == "names" and reading.pattern:
        yield from _by_names(source.folder, source.split, reading.pattern, reading.group)
    elif reading.kind == "class":
        yield from _grouped(_of_one_class(source.folder, source.split, reading.label), reading.group)
    else:
        yield from _grouped(layout.walk(source.folder, source.split, reading.depth), reading.group)


def bring_in(source: Source, progress: Progress | None = None, checkpoint: Checkpoint | None = None) -> None:
    """Unpack the archive of `source` unless that was done and it is the same since; raises what `archives.unpack` raises."""
    if source.archive is None:
        return
    stamp = _stamp_file(source)
    now = _stamp_of(source.archive)
    if not source.folder.is_dir():
        if now is not None:  # written before: if this is killed right after it is unpacked, it is still known what was
            with contextlib.suppress(OSError):  # which the next line tells of
                stamp.parent.mkdir(parents=True, exist_ok=True)
            write_json(stamp, now)
        archives.unpack(source.archive, source.folder, progress, checkpoint)
    elif now is not None and stamp.exists() and read_json(stamp) != now:
        # Unpacked beside the old one, which goes only when the new one is whole; of a name that is tidied away if this is killed.
        fresh, old = (source.folder.with_name(f".{source.folder.name}.{name}.partial") for name in ("new", "old"))
        archives.unpack(source.archive, fresh, progress, checkpoint)
        source.folder.replace(old)
        fresh.replace(source.folder)
        shutil.rmtree(old, ignore_errors=True)
        write_json(stamp, now)


def unpacked_from(source: Source) -> dict[str, int] | None:
    """The `size` and `mtime_ns` of the archive that the folder of `source` was unpacked from; None where that is not known."""
    if source.archive is None or not source.folder.is_dir():
        return None
    try:
        return cast("dict[str, int]", read_json(_stamp_file(source)))
    except TransferError:
        return None


def _stamp_file(source: Source) -> Path:
    return source.folder.with_name(f".{source.folder.name}.json")


def _stamp_of(archive: Path) -> dict[str, int] | None:
    try:
        status = archive.stat()
    except OSError:
        return None
    return {"size": status.st_size, "mtime_ns": status.st_mtime_ns}


def is_there(source: Source) -> bool:
    """Whether the pictures are where they were, or can be unpacked."""
    return source.folder.is_dir() or (source.archive is not None and source.archive.is_file())


def table_file(source: Source) -> Path:
    """Where the table of `source` is."""
    return source.folder / (source.reading.table or "")


def is_door(path: Path) -> bool:
    """Whether `path` is a file that pictures can come in by: an archive or a table."""
    return archives.is_archive(path) or tables.is_table(path)


def check_door(place: Path) -> None:
    """Raise DataError unless `place` is a folder, an archive or a table that is there."""
    if not os.path.isfile(place):  # noqa: PTH113 (Path raises for a name too long)
        check_folder(place)
    elif not is_door(place):
        raise DataError(
            _("{file} is neither a folder nor a zip, CSV or TSV file.").format(file=place),
            code="not-a-folder",
            file=place,
            fix=_("Choose the folder that holds one sub-folder per class, a zip of it, or a table of files and classes."),
        )


def source_of_table(file: Path, reading: Reading | None = None, split: str | None = None) -> Source:
    """The source of a table: its files lie beside it, or where most of its lines say. Columns are guessed unless `reading` says them.

    Raises DataError when the table can't be read, or its columns can't be told.
    """
    known = reading.columns if reading else None
    table = tables.read_table(file, known.titles if known else None)
    columns = known or guessed_columns(table)
    folder = tables.root_of(file, columns, table)
    name = str(file.relative_to(folder)) if file.is_relative_to(folder) else str(file)
    return Source(folder, split, Reading("table", table=name, columns=columns, group=reading.group if reading else None))


def guessed_columns(table: tables.Table) -> tables.Columns:
    """The columns of a table by a guess; raises DataError where none can be made."""
    finder = tables.Finder(table.file.parent, table.file.parent)
    columns = tables.guess_columns(table, lambda cell: finder.find(cell)[2] is None)
    if columns is None:
        raise DataError(
            _("It can't be told which columns of {file} are the file and its class.").format(file=table.file),
            code="no-columns",
            file=table.file,
            fix=_("Give its columns the titles file and label. They are: {columns}.").format(
                columns=", ".join(table.titles[:20])
            ),
        )
    return columns


def reading_of(text: str) -> Reading:
    """The reading that somebody wrote: `folders`, a number for a deeper folder, `innermost`, `path`, or `names:PATTERN`.

    Raises DataError for anything else.
    """
    word, colon, rest = text.strip().partition(":")
    if word == "names" and colon:
        return by_names(rest)
    if not colon and word == "folders":
        return Reading()
    if not colon and word == "innermost":
        return Reading(depth="innermost")
    if not colon and word == "path":
        return Reading(depth="joined")
    if not colon and word.isdecimal() and word.isascii() and 1 <= int(word) <= 16:
        return Reading(depth=int(word))
    raise DataError(
        _("Labels can't be told by {text}.").format(text=text),
        code="usage",
        fix=_("Say folders, innermost, path, the number of a folder level, or names: and a pattern such as {example}.").format(
            example="names:{class}_{number}"
        ),
    )


def written(reading: Reading) -> str:
    """What `reading_of` takes for this reading; a table has no such word."""
    if reading.kind == "names":
        return f"names:{reading.pattern}"
    if reading.depth == "joined":
        return "path"
    return "folders" if reading.depth == 1 else str(reading.depth)


def _by_names(root: Path, split: str | None, text: str, group: str | None) -> Iterator[Found]:
    labels, groups = pattern(text), pattern(group) if group else None
    for entry in files_below(root, split):
        # What a folder that can't be listed stands for has no name to read.
        relative = "/".join(entry.inside) if entry.reason is None else entry.relative
        told = labels.read(relative)
        other = groups.read(relative) if groups else None
        reason = entry.reason
        if reason is None and (told is None or told.label is None):
            reason = _("its name does not fit the pattern {pattern}").format(pattern=text)
        yield Found(
            entry.path,
            entry.relative,
            told.label if told else None,
            entry.split,
            reason,
            (other.group if other else None) or (told.group if told else None),
        )


def _of_one_class(root: Path, split: str | None, label: str | None) -> Iterator[Found]:
    for entry in files_below(root, split):
        yield Found(entry.path, entry.relative, label, entry.split, entry.reason)


def _grouped(found: Iterator[Found], group: str | None) -> Iterator[Found]:
    """`found`, with what the pattern for groups says of each name."""
    if not group:
        yield from found
        return
    groups = pattern(group)
    for one in found:
        told = groups.read(one.relative)
        yield replace(one, group=told.group) if told and told.group else one

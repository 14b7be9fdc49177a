"""What DATA is on the command line, how its classes are told, and what is said of that."""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from transfer_core.cli import output
from transfer_core.cli.live_line import LiveLine
from transfer_core.errors import TransferError
from transfer_core.i18n import _

if TYPE_CHECKING:
    from transfer_core.data.project import Project
    from transfer_core.data.reading import Reading


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How classes and groups are told."""
    parser.add_argument(
        "--labels",
        metavar="HOW",
        help=_("what says the class: folders (the first one), a number for a deeper folder, innermost, path, or names:PATTERN"),
    )
    parser.add_argument(
        "--group",
        metavar="PATTERN",
        help=_("a pattern for file names whose {group} is never parted, such as a patient: {example}").format(
            group="{group}", example="{group}_{number}"
        ),
    )


def project_at(data: Path, test: Path | None = None, labels: str | None = None, group: str | None = None) -> Project:
    """The project of a folder, an archive or a table, made on first use, its archive unpacked.

    Says on standard error how the classes are told where that is not plain. Raises DataError, StorageError, and a TransferError for
    options that don't fit.
    """
    from transfer_core.data.project import FILE, Project
    from transfer_core.data.sources import bring_in, check_door

    data = data.expanduser()
    if (data / FILE).exists():
        return Project.open(data)
    for place in filter(None, (data, test)):
        check_door(place)
    reading = _asked(data, labels, group)
    project = Project.known(data, test, reading)
    if project is None or (group and project.sources[0].reading.group != group):
        project = Project.for_source(data, test, reading or _likeliest(data, group))
    line = LiveLine()
    try:
        for source in project.sources:
            bring_in(source, partial(_unpacking, line))
    finally:
        line.close()
    return project


def _unpacking(line: LiveLine, done: int, total: int) -> None:
    line.show(_("Unpacking: {done} of {total} MB").format(done=done // 10**6, total=total // 10**6))


def _asked(data: Path, labels: str | None, group: str | None) -> Reading | None:
    """The reading that the options say; None where they say nothing of the class."""
    from transfer_core.data.names import check_pattern
    from transfer_core.data.sources import reading_of
    from transfer_core.data.tables import is_table

    if group is not None:
        check_pattern(group, "group")
    if labels is None:
        return None
    if is_table(data) and data.is_file():
        raise TransferError(
            _("A table says the classes itself, --labels does not go with it."),
            code="usage",
            file=data,
            fix=_("Leave --labels out, or give the folder of the pictures in place of the table."),
        )
    return replace(reading_of(labels), group=group)


def _likeliest(data: Path, group: str | None) -> Reading:
    """The likeliest reading of a place that has no project yet, which is told where there is a choice."""
    from transfer_core.data.guess import counted, guess
    from transfer_core.data.sources import written

    found = guess(data)
    if found.offers and (found.unclear or found.best.kind != "folders"):
        best = found.offers[0]
        output.say(output.shown(f"{best.sentence} {counted(best.classes)}"))
        others = [written(offer.reading) for offer in found.offers[1:] if offer.reading.kind != "table"]
        tables = [offer.reading.table or "" for offer in found.offers[1:] if offer.reading.kind == "table"]
        if others:
            output.say(
                output.shown(
                    _("If that is not what is meant, say --labels and one of: {others}").format(others=", ".join(others))
                )
            )
        if tables:
            output.say(
                output.shown(
                    _("A table says it otherwise; to go by it, give it in place of the folder: {table}").format(table=tables[0])
                )
            )
    return replace(found.best, group=group) if group else found.best

"""`backbones --for DATA`: the backbones at hand, ranked on the user's own pictures."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transfer_core.cli import output, reading
from transfer_core.cli.live_line import LiveLine
from transfer_core.errors import TransferError
from transfer_core.i18n import _

if TYPE_CHECKING:
    from transfer_core.advice.choice import Choice, Row
    from transfer_core.advice.measuring import Progress
    from transfer_core.metrics.intervals import Score


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What ranking can be told."""
    parser.add_argument(
        "--for",
        dest="data",
        type=Path,
        metavar="DATA",
        help=_("rank them on these pictures: a folder with a sub-folder per class, a zip, a CSV or TSV, or a project"),
    )
    parser.add_argument(
        "--download",
        action="store_true",
        help=_("with --for: also the most accurate for their time, whose weights are downloaded"),
    )
    parser.add_argument(
        "--minutes",
        type=float,
        metavar="N",
        help=_("with --for: leave out those that would take longer for one pass over all pictures"),
    )


def rank(options: argparse.Namespace) -> int:
    """Rank the backbones on pictures and print the table, and one sentence why."""
    from transfer_core.advice.choose import choose_for

    if options.minutes is not None and not options.minutes > 0:
        raise TransferError(_("--minutes takes a number above 0."), code="usage", fix=_("Leave it out to try all."))
    seconds = options.minutes * 60 if options.minutes is not None else None
    # What is told of the pictures, and the unpacking of an archive, come before the line that is written over.
    project = reading.project_at(options.data)
    line = LiveLine()
    try:
        choice = choose_for(project.folder, options.download, seconds, progress=partial(_tell, line))
    finally:
        line.close()
    if options.json:
        output.answer([entry(row, choice, rank) for rank, row in enumerate(choice.rows, 1)])
        return 0
    titles = [_("backbone"), _("on your pictures"), _("neighbours"), _("ImageNet"), _("seconds"), _("file"), ""]
    output.table([titles, *(_line(row, choice) for row in choice.rows)])
    output.line(output.shown(choice.why))
    output.say(
        _(
            "On your pictures: how many of {count} a head recognised that had not seen them, of the best three. Neighbours: how many "
            "have most of their five most similar pictures in their own class. Seconds: one pass over all {pictures} pictures; "
            "~ is estimated."
        ).format(count=choice.looked_at, pictures=choice.pictures)
    )
    return 0


def entry(row: Row, choice: Choice, rank: int) -> dict[str, Any]:
    """A candidate as data: what the catalogue knows of the backbone, and what the pictures said of it."""
    from dataclasses import asdict

    from transfer_core.backbones.catalogue import backbone_info
    from transfer_core.cli.backbones import entry as described

    known = described(backbone_info(row.backbone), row.digest is not None)
    said = asdict(row) | {"rank": rank, "recommended": row is choice.recommended}
    # Of a file of the user's, or at another size, the published accuracy is not known.
    return known | said | {"name": row.backbone, "why": choice.why if row is choice.recommended else ""}


def _line(row: Row, choice: Choice) -> list[str]:
    mark = (
        _("<- recommended")
        if row is choice.recommended
        else row.left_out or ("" if row.commercial else _("not for commercial use"))
    )
    return [
        row.label,
        _score(row.validated),
        f"{100 * row.neighbours.accuracy:.0f} %" if row.neighbours else "-",
        f"{row.accuracy:.1f} %" if row.accuracy else "-",
        f"{'' if row.seconds_measured else '~'}{row.seconds:.1f}",
        output.megabytes(row.file_size),
        mark,
    ]


def _score(score: Score | None) -> str:
    return f"{100 * score.accuracy:.1f} % ({100 * score.low:.0f}-{100 * score.high:.0f})" if score else "-"


def _tell(line: LiveLine, told: Progress) -> None:
    name = told.candidate.label if told.candidate else _("Reading the pictures")
    text = _("{name}: {done} of {total}").format(name=name, done=told.done, total=told.total)
    if told.eta_seconds is not None:
        text += _(", {time} left").format(time=output.duration(told.eta_seconds))
    line.show(text)

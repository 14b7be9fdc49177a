"""`predict`: what a model says of pictures."""

from __future__ import annotations

import argparse
import csv
import io
import os
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from transfer_core.cli import output
from transfer_core.cli.words import Commands, add_command
from transfer_core.errors import DataError, TransferError
from transfer_core.files import as_cell, write_whole
from transfer_core.i18n import _, ngettext

if TYPE_CHECKING:
    from transfer_core.models.predict import Prediction

COLUMNS = ("file", "class", "confidence", "refused", "error")


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = add_command(commands, "predict", _("say what is in pictures"), "predict run/model holiday --csv answers.csv")
    parser.add_argument("model", metavar="MODEL", type=Path, help=_("a model folder, or the folder of a run that has one"))
    parser.add_argument(
        "paths", metavar="PATH", type=Path, nargs="+", help=_("pictures, and folders of pictures with all their sub-folders")
    )
    parser.add_argument("--csv", metavar="FILE", type=Path, help=_("write the answers into a table"))
    parser.add_argument(
        "--copy-into", metavar="DIR", type=Path, help=_("copy each picture into a folder of its class; nothing is overwritten")
    )
    parser.set_defaults(run_command=run)


def run(options: argparse.Namespace) -> int:
    """Answer for every picture as it comes."""
    from transfer_core.models.predict import Predictor

    _check_csv(options.csv)
    predictor = Predictor(options.model)
    paths = list(pictures(options.paths))
    if not paths:
        raise DataError(
            _("There are no pictures in {folders}.").format(folders=", ".join(map(str, options.paths))),
            code="no-pictures",
            file=options.paths[0],
            fix=_("Give pictures, or folders that have some."),
        )
    # A chain, so that the first answers are out before the last picture is read, and memory does not grow.
    answers: Iterable[Prediction] = predictor.predict(paths)
    if options.copy_into:
        from transfer_core.cli.copies import copying

        answers = copying(answers, options.copy_into)
    answers = _as_json(answers) if options.json else _as_text(answers)
    if options.csv:
        write_whole(options.csv, lambda file: write_csv(file, answers))
    else:
        deque(answers, maxlen=0)
    return 0


def pictures(paths: Iterable[Path]) -> Iterator[Path]:
    """The files given, and in the folders given those that have a picture's extension, in the order of their names."""
    from transfer_core.images.formats import EXTENSIONS

    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for folder, folders, names in os.walk(path):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            yield from (
                Path(folder) / name for name in sorted(names) if Path(name).suffix.lower() in EXTENSIONS and name[0] != "."
            )


def write_csv(file: BinaryIO, answers: Iterable[Prediction]) -> None:
    """The answers as a table in UTF-8; names are text in it and never formulas."""
    text = io.TextIOWrapper(file, encoding="utf-8", errors="backslashreplace", newline="", write_through=True)
    table = csv.writer(text)
    table.writerow(COLUMNS)
    for answer in answers:
        if answer.error:
            table.writerow([as_cell(str(answer.file)), "", "", "", as_cell(answer.error["message"])])
        else:
            refused = "true" if answer.refused else "false"
            table.writerow([as_cell(str(answer.file)), as_cell(answer.label or ""), f"{answer.confidence:.6f}", refused, ""])
    text.flush()
    text.detach()  # or it would close the file with itself


def _check_csv(file: Path | None) -> None:
    from transfer_core.images.formats import EXTENSIONS

    # What the shell makes of `--csv *.jpg`: the first picture would be overwritten.
    if file is not None and file.suffix.lower() in EXTENSIONS:
        raise TransferError(
            _("{file} is named like a picture and won't be written as a table.").format(file=file),
            code="usage",
            file=file,
            fix=_("Name the table after --csv, such as answers.csv."),
        )


def _as_json(answers: Iterable[Prediction]) -> Iterator[Prediction]:
    with output.AnswerList() as items:
        for answer in answers:
            items.add(answer.as_data())
            yield answer


def _as_text(answers: Iterable[Prediction]) -> Iterator[Prediction]:
    counts: Counter[str] = Counter()
    for answer in answers:
        file, label, confidence = output.shown(answer.file), output.shown(answer.label), output.percent(answer.confidence)
        if answer.error:
            counts[_("not readable")] += 1
            output.line(f"{file}: {output.shown(answer.error['message'])}")
        elif answer.refused:
            counts[_("none of these")] += 1
            output.line(
                _("{file}: none of these (nearest: {label}, {confidence})").format(file=file, label=label, confidence=confidence)
            )
        else:
            counts[label] += 1
            output.line(f"{file}: {label}, {confidence}")
        yield answer
    parts = ", ".join(f"{count} {label}" for label, count in counts.most_common())
    total = counts.total()
    output.say(ngettext("{total} picture: {parts}.", "{total} pictures: {parts}.", total).format(total=total, parts=parts))

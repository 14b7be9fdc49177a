"""`evaluate`: how good a model is on pictures whose classes are known."""

from __future__ import annotations

import argparse
from pathlib import Path

from transfer_core.cli import output
from transfer_core.cli.words import Commands, add_command
from transfer_core.i18n import _


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = add_command(commands, "evaluate", _("test a model on labelled pictures"), "evaluate run/model flowers/test")
    parser.add_argument("model", metavar="MODEL", type=Path, help=_("a model folder, or the folder of a run that has one"))
    parser.add_argument("data", metavar="DATA", type=Path, help=_("a folder with a sub-folder per class, or a CSV or TSV"))
    parser.set_defaults(run_command=run)


def run(options: argparse.Namespace) -> int:
    """Print the test score and each class's."""
    from transfer_core.evaluation.evaluate import evaluate

    data = evaluate(options.model, options.data).as_data()
    if options.json:
        output.answer(data)
        return 0
    if data["test"]:
        output.line(_("Test: {score}.").format(score=output.score(data["test"])))
    for entry in data["per_class"]:
        output.line(f"  {output.shown(entry['label'])}: {output.score(entry)}")
    return 0

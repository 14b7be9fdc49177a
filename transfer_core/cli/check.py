"""`check DATA`: what is wrong with pictures, before anything is trained on them."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from transfer_core.cli import output, reading
from transfer_core.cli.live_line import LiveLine
from transfer_core.cli.words import Commands, add_command
from transfer_core.i18n import _, ngettext
from transfer_core.runs.phases import phase_title

if TYPE_CHECKING:
    from transfer_core.advice.checks.check import Finding
    from transfer_core.data.project import Project

NAMED = 5  # files of a finding that are named


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = add_command(commands, "check", _("look for what is wrong with pictures"), "check flowers")
    parser.add_argument(
        "data",
        type=Path,
        metavar="DATA",
        help=_("a folder with a sub-folder per class, or with train, val and test above them; a zip, a CSV or TSV; or a project"),
    )
    parser.add_argument(
        "--backbone",
        metavar="NAME",
        help=_("the network that looks for wrong labels, if its weights are here; else the best that is here and quick"),
    )
    reading.add_arguments(parser)
    parser.set_defaults(run_command=run)


def run(options: argparse.Namespace) -> int:
    """Examine the pictures and print what was found, the most important first."""
    from transfer_core.advice.doctor import examine
    from transfer_core.advice.findings import as_data, standing
    from transfer_core.backbones.weights import find_weights

    weights = next(iter(find_weights(options.backbone)), None) if options.backbone else None
    # What is told of the pictures, and the unpacking of an archive, come before the line that is written over.
    project = reading.project_at(options.data, None, options.labels, options.group)
    line = LiveLine()
    try:
        findings = examine(project, weights, progress=partial(_tell, line))
    finally:
        line.close()
    found = standing(project, findings)
    counts = project.table.classes()
    if options.json:
        output.answer(
            {
                "project": str(project.folder),
                "images": sum(count.total for count in counts),
                "classes": len(counts),
                "left_out": project.table.count(state="out"),
                "backbone": findings.backbone,
                "findings": [as_data(project, finding) for finding in found],
            }
        )
        return 0
    for finding in found:
        _show(project, finding)
    if not found:
        output.line(_("Nothing was found that somebody should look at."))
    output.say(_("Repair it on the Data page: {command}").format(command=f"transfer-studio app {project.folder}"))
    return 0


def _show(project: Project, finding: Finding) -> None:
    from transfer_core.advice.findings import check_of, pairs_once, sentence

    mark = {"serious": "!!", "look": "! ", "note": "- "}[check_of(finding).severity]
    output.line(f"{mark} {output.shown(sentence(finding))}")
    if check_of(finding).severity == "note":
        return
    items = [item for item, _other in pairs_once(finding.items) if item.id is not None]
    ids = [id for item in items[:NAMED] for id in (item.id, item.beside) if id is not None]
    names = {sample.id: sample.relative for sample in project.table.samples(state=None, ids=ids)}
    for item in items[:NAMED]:
        text = names.get(item.id or -1, "?")
        if item.beside is not None:
            text += _(" (like {file})").format(file=names.get(item.beside, "?"))
        elif item.to is not None:
            text += _(" (rather {label}?)").format(label=item.to)
        output.line(f"     {output.shown(text)}")
    if len(items) > NAMED:
        rest = len(items) - NAMED
        output.line("     " + ngettext("and {count} more", "and {count} more", rest).format(count=rest))


def _tell(line: LiveLine, phase: str, done: int, total: int) -> None:
    line.show(_("{name}: {done} of {total}").format(name=phase_title(phase), done=done, total=total))

"""`doctor`: this computer, and what stands in the way of training on it."""

from __future__ import annotations

import argparse

from transfer_core.cli import output
from transfer_core.cli.words import Commands, add_command
from transfer_core.i18n import _


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = add_command(commands, "doctor", _("show what this computer has, and what is wrong with it"), "doctor")
    parser.set_defaults(run_command=run)


def run(options: argparse.Namespace) -> int:
    """Print what was found."""
    from transfer_core.advice.computer import describe

    computer = describe()
    if options.json:
        output.answer(computer.as_data())
        return 0
    gpus = ", ".join(f"{gpu.name} ({output.size(gpu.memory_bytes)})" for gpu in computer.gpus)
    rows = [
        (_("System"), f"{computer.platform}, Python {computer.python}"),
        (_("Processor cores"), str(computer.cores)),
        (
            _("Memory"),
            _("{total}, {free} free").format(total=output.size(computer.memory_bytes), free=output.size(computer.memory_free)),
        ),
        (_("Graphics card"), gpus or _("none")),
        (_("Projects"), _("{folder}, {free} free").format(folder=computer.home, free=output.size(computer.disk_free))),
        (_("Packages"), ", ".join(f"{name} {version or _('missing')}" for name, version in computer.versions.items())),
        (_("Weights at hand"), ", ".join(computer.weights) or _("none")),
    ]
    for title, text in rows:
        output.line(f"{title}: {output.shown(text)}")
    for problem in computer.problems:
        output.line(f"! {output.shown(problem.message)} {output.shown(problem.fix)}")
    if not computer.problems:
        output.line(_("Nothing is wrong."))
    return 0

"""`runs`: what was trained and how it stands."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transfer_core.cli import output
from transfer_core.cli.words import Commands, add_command
from transfer_core.errors import RunError
from transfer_core.i18n import _

if TYPE_CHECKING:
    from transfer_core.runs.folder import Run
    from transfer_core.runs.state import RunReader, RunState

PATIENCE = 30.0  # seconds that `stop` and `finish` wait for the run to do so


def add(commands: Commands) -> None:
    """Add the commands to the parser."""
    group = add_command(commands, "runs", _("list, show, stop, finish and resume runs"), "runs list", json=False)
    actions = group.add_subparsers(title=_("commands"), metavar=_("COMMAND"), required=True)
    listing = add_command(actions, "list", _("list the runs of a project, or of all"), "runs list")
    listing.add_argument(
        "project", metavar="PROJECT", type=Path, nargs="?", help=_("a project's folder; all projects without it")
    )
    listing.set_defaults(run_command=list_them)
    for name, summary, function in (
        ("show", _("show how a run stands"), show),
        ("stop", _("ask a run to stop; it can be resumed"), stop),
        ("finish", _("ask a run to make a model of what it has learned so far"), finish),
        ("resume", _("carry on a run that stopped, failed or died"), resume),
    ):
        parser = add_command(actions, name, summary, f"runs {name} 20260312-141503-a1b2")
        parser.add_argument("run", metavar="RUN", help=_("a run's folder, or its id"))
        parser.set_defaults(run_command=function)


def list_them(options: argparse.Namespace) -> int:
    """Print the runs, newest first."""
    from transfer_core.runs.state import read_state, status_title

    runs = [(run, read_state(run)) for run in _runs(options.project)]
    if options.json:
        output.answer({"runs": [summary(run, state) for run, state in runs]})
        return 0
    rows = [[run.id, status_title(state.status), _accuracy(state), run.name, str(run.folder)] for run, state in runs]
    if rows:
        output.table([[_("id"), _("state"), _("validation"), _("name"), _("folder")], *rows])
    else:
        output.say(_("There are no runs yet."))
    return 0


def show(options: argparse.Namespace) -> int:
    """Print how a run stands."""
    from transfer_core.cli.watch import epoch, progress
    from transfer_core.cli.watch import summary as report_lines
    from transfer_core.runs.folder import find_run
    from transfer_core.runs.phases import phase_title
    from transfer_core.runs.state import read_state, status_title

    run = find_run(options.run)
    state = read_state(run)
    history = state.history
    if options.json:
        details = {"phase": history.phase, "progress": history.progress, "epochs": history.epochs, "notices": history.notices}
        output.answer(summary(run, state) | details | {"report": history.report})
        return 0
    output.line(f"{run.id}: {status_title(state.status)}")
    output.line(_("Name: {name}").format(name=output.shown(run.name)))
    output.line(_("Begun: {date}").format(date=output.date(run.created)))
    output.line(_("Folder: {folder}").format(folder=output.shown(run.folder)))
    if history.phase and state.status == "running":
        output.line(_("Now: {phase}").format(phase=phase_title(history.phase)))
        if history.progress:
            output.line(progress(history.progress))
    for text in [*map(epoch, history.epochs[-5:]), *history.notices, *(report_lines(history.report) if history.report else ())]:
        output.line(output.shown(text))
    if state.error:
        output.line(output.shown(state.error))
    return 0


def stop(options: argparse.Namespace) -> int:
    """Ask a run to stop, and wait a while for it."""
    from transfer_core.runs import launch

    return _ask(options, launch.stop)


def finish(options: argparse.Namespace) -> int:
    """Ask a run to finish, and wait a while for it."""
    from transfer_core.runs import launch

    return _ask(options, launch.finish)


def resume(options: argparse.Namespace) -> int:
    """Carry a run on and watch it, as `train` does."""
    from transfer_core.cli.watch import begin_and_watch
    from transfer_core.runs import launch
    from transfer_core.runs.folder import find_run
    from transfer_core.runs.state import RunReader

    run = find_run(options.run)
    reader = RunReader(run)
    reader.read()  # what it told before is no news

    def begin() -> Run:
        launch.resume(run)
        return run

    return begin_and_watch(begin, options.json, reader)


def summary(run: Run, state: RunState) -> dict[str, Any]:
    """A run in one object of JSON."""
    return {
        "id": run.id,
        "name": run.name,
        "run": str(run.folder),
        "project": str(run.project_folder),
        "created": run.created,
        "status": state.status,
        "model": str(run.model_folder) if run.model_folder.is_dir() else None,
        "val": (state.history.report or {}).get("val"),
        "error": state.error.as_data() if state.error else None,
    }


def _runs(project: Path | None) -> Iterator[Run]:
    from transfer_core.places import home
    from transfer_core.runs.folder import list_runs

    if project is not None:
        from transfer_core.data.project import Project

        return iter(list_runs(Project.open(project.expanduser()).folder))
    folders = sorted(home().iterdir()) if home().is_dir() else []
    runs = [run for folder in folders for run in list_runs(folder)]
    return iter(sorted(runs, key=lambda run: run.created, reverse=True))


def _ask(options: argparse.Namespace, ask: Callable[[Run], None]) -> int:
    from transfer_core.runs.folder import find_run
    from transfer_core.runs.state import RunReader, status_title

    run = find_run(options.run)
    ask(run)
    reader = RunReader(run)
    state = _wait(reader)
    if options.json:
        output.answer(summary(run, state))
    elif state.ended:
        output.line(f"{run.id}: {status_title(state.status)}")
    else:
        output.line(_("{id}: asked, and at work still.").format(id=run.id))
    if state.status in ("failed", "died") and not options.json:
        raise state.error or RunError(_("The run failed."), file=run.log_file)
    return 0


def _wait(reader: RunReader) -> RunState:
    deadline = time.monotonic() + PATIENCE
    while True:
        state, _events = reader.look()
        if state.ended or time.monotonic() > deadline:
            return state
        time.sleep(0.1)


def _accuracy(state: RunState) -> str:
    score = (state.history.report or {}).get("val")
    return output.percent(score["accuracy"]) if score else ""

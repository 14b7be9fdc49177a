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

EXAMPLE = "20260312-141503-a1b2"
PATIENCE = 30.0  # seconds that `stop`, `pause` and `finish` wait for the run to do so


def add(commands: Commands) -> None:
    """Add the commands to the parser."""
    group = add_command(commands, "runs", _("list, show, queue, stop, pause, resume and extend runs"), "runs list", json=False)
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
        ("pause", _("ask a run to free memory and device; it can be resumed"), pause),
        ("resume", _("carry on a run that stopped, paused, failed or died"), resume),
        ("cancel", _("take a run out of the queue"), cancel),
    ):
        _of_a_run(actions, name, summary, f"runs {name} {EXAMPLE}", function)
    parser = _of_a_run(actions, "extend", _("train a finished run on"), f"runs extend {EXAMPLE} --epochs 10", extend)
    parser.add_argument("--epochs", metavar="N", type=int, default=10, help=_("how many epochs more; 10 without it"))
    parser = _of_a_run(actions, "move", _("move a waiting run in the queue"), f"runs move {EXAMPLE} 1", move)
    parser.add_argument("place", metavar="PLACE", type=int, help=_("its new place in the queue; 1 is the next one"))


def _of_a_run(
    actions: Commands, name: str, summary: str, example: str, function: Callable[[argparse.Namespace], int]
) -> argparse.ArgumentParser:
    parser = add_command(actions, name, summary, example)
    parser.add_argument("run", metavar="RUN", help=_("a run's folder, or its id"))
    parser.set_defaults(run_command=function)
    return parser


def list_them(options: argparse.Namespace) -> int:
    """Print the runs, newest first."""
    from transfer_core.runs import dispatcher, queue
    from transfer_core.runs.state import read_state

    dispatcher.ensure_dispatcher()
    runs = [(run, read_state(run)) for run in _runs(options.project)]
    if options.json:
        output.answer({"runs": [summary(run, state) for run, state in runs]})
        return 0
    places = {entry.folder: number for number, entry in enumerate(queue.order(), 1)}
    rows = [
        [run.id, _standing(state, places.get(run.folder)), _accuracy(state), run.name, str(run.folder)] for run, state in runs
    ]
    if rows:
        output.table([[_("id"), _("state"), _("validation"), _("name"), _("folder")], *rows])
    else:
        output.say(_("There are no runs yet."))
    return 0


def show(options: argparse.Namespace) -> int:
    """Print how a run stands."""
    from transfer_core.cli.watch import epoch, progress
    from transfer_core.cli.watch import summary as report_lines
    from transfer_core.runs import queue
    from transfer_core.runs.folder import find_run
    from transfer_core.runs.phases import phase_title
    from transfer_core.runs.state import read_state

    run = find_run(options.run)
    state = read_state(run)
    history = state.history
    if options.json:
        details = {"phase": history.phase, "progress": history.progress, "epochs": history.epochs, "notices": history.notices}
        output.answer(summary(run, state) | details | {"report": history.report})
        return 0
    output.line(f"{run.id}: {_standing(state, queue.place(run))}")
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


def pause(options: argparse.Namespace) -> int:
    """Ask a run to pause, and wait a while for it."""
    from transfer_core.runs import launch

    return _ask(options, launch.pause)


def resume(options: argparse.Namespace) -> int:
    """Carry a run on, before all that wait, and watch it, as `train` does."""
    from transfer_core.runs.folder import find_run

    return _carry_on(find_run(options.run), options.json)


def extend(options: argparse.Namespace) -> int:
    """Train a finished run on, before all that wait, and watch it, as `train` does."""
    from transfer_core.runs import extension
    from transfer_core.runs.folder import find_run

    run = find_run(options.run)
    extension.ask(run, options.epochs)
    return _carry_on(run, options.json)


def cancel(options: argparse.Namespace) -> int:
    """Take a run out of the queue."""
    from transfer_core.runs import queue

    return _change_queue(options, queue.cancel)


def move(options: argparse.Namespace) -> int:
    """Give a waiting run another place."""
    from transfer_core.runs import queue

    return _change_queue(options, lambda run: queue.move(run, options.place - 1))


def _carry_on(run: Run, as_json: bool) -> int:
    from transfer_core.cli.watch import begin_and_watch
    from transfer_core.runs import dispatcher
    from transfer_core.runs.state import RunReader

    reader = RunReader(run)
    reader.read()  # what it told before is no news

    def begin() -> Run:
        dispatcher.submit(run, first=True)
        return run

    return begin_and_watch(begin, as_json, reader)


def _change_queue(options: argparse.Namespace, change: Callable[[Run], None]) -> int:
    """Change the queue, and print it."""
    from transfer_core.runs import queue
    from transfer_core.runs.folder import Run, find_run

    change(find_run(options.run))
    waiting = [Run(entry.folder) for entry in queue.order()]
    if options.json:
        output.answer({"queue": [run.id for run in waiting]})
        return 0
    for number, run in enumerate(waiting, 1):
        output.line(f"{number}  {run.id}  {output.shown(run.name)}")
    if not waiting:
        output.say(_("Nothing waits in the queue."))
    return 0


def summary(run: Run, state: RunState) -> dict[str, Any]:
    """A run in one object of JSON; `place` is the one in the queue, from 1, or null."""
    from transfer_core.runs import queue

    return {
        "id": run.id,
        "name": run.name,
        "run": str(run.folder),
        "project": str(run.project_folder),
        "created": run.created,
        "status": state.status,
        "place": queue.place(run),
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


def _standing(state: RunState, place: int | None) -> str:
    """How a run stands, in words; `place` is the one in the queue."""
    from transfer_core.runs.state import status_title

    return status_title(state.status) if place is None else _("waits at place {place}").format(place=place)


def _accuracy(state: RunState) -> str:
    score = (state.history.report or {}).get("val")
    return output.percent(score["accuracy"]) if score else ""

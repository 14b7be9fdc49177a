"""Starting a run's process, asking things of it, and watching it. The process outlives whoever started it."""

from __future__ import annotations

import time
from collections.abc import Callable

from transfer_core.errors import RunError
from transfer_core.i18n import _
from transfer_core.processes import module_command
from transfer_core.runs import control, extension, several
from transfer_core.runs.events import Event
from transfer_core.runs.folder import AUTOMATIC, Run, list_runs
from transfer_core.runs.starting import gone, start_process
from transfer_core.runs.state import ACTIVE, RunReader, RunState, read_state

AFTER_HEAD = frozenset({"boundary", "tail", "full"})  # phases


def start(run: Run) -> None:
    """Begin a queued run in a process of its own; returns once that process lives.

    Raises RunError when the run was begun before or its process does not come up.
    """
    state = read_state(run)
    if state.alive:
        raise _already_running(run)
    if state.status != "queued":
        raise RunError(
            _("This run was begun before."), code="already-begun", file=run.folder, fix=_("Resume it, or make a copy of it.")
        )
    _launch(run, [])


def resume(run: Run) -> None:
    """Carry on a run that stopped, failed or died; returns once its new process lives. Raises RunError."""
    state = read_state(run)
    if state.status == "finished" and not run.reopened():
        raise RunError(
            _("This run is finished."), code="already-finished", file=run.folder, fix=_("Make a copy of it to train again.")
        )
    if state.alive and not (state.ended and gone(run)):
        raise _already_running(run)
    control.clear(run.folder)
    _launch(run, ["--resume"])


def carry_on(run: Run, after: float) -> None:
    """Begin or resume a run, unless another process carried it since the one that began at `after` (0: none); for the queue.

    Returns once its process lives, or another one does. Raises RunError (not-started), StorageError.
    """
    _have_way_made(run)
    start_process(run, [*worker_command(run), "--after", str(after)])


def stop(run: Run) -> None:
    """Ask the run to stop where it is; it can be resumed. Raises RunError when it is not at work."""
    _ask(run, "stop")


def pause(run: Run) -> None:
    """Ask the run to pause: its process ends, and a resumed one goes on from its checkpoint. Raises RunError when it is not at work."""
    _ask(run, "pause")


def stop_and_keep(run: Run) -> None:
    """Ask the run to stop, with a model of the best so far where it has learned something. Raises RunError when it is not at work."""
    finish(run) if has_learned(run, read_state(run)) else stop(run)


def has_learned(run: Run, state: RunState) -> bool:
    """Whether a model could be made of what the run has learned so far."""
    # After the head of better and best, the model of the plan quick is there.
    fitted = run.settings.plan in ("better", "best") and bool(AFTER_HEAD & set(state.history.phases))
    return fitted or (run.settings.planned_epochs > 0 and bool(state.history.epochs))


def extend(run: Run, epochs: int) -> None:
    """Have a finished run of the plan custom train so many epochs more, at once; returns once its process lives.

    Its model stays as it is until the new one is there. Raises RunError when it is not finished or of another plan, SettingsError.
    """
    extension.ask(run, epochs)
    resume(run)


def finish(run: Run) -> None:
    """Ask the run to make a model of what it has learned so far. Raises RunError when it is not at work."""
    _ask(run, "finish")


def follow(run: Run, on_event: Callable[[Event], object], poll: float = 0.1, reader: RunReader | None = None) -> RunState:
    """Hand every event to `on_event` as it comes, until the run ended; `reader` leaves out what it has read before."""
    reader = reader or RunReader(run)
    while True:
        state, events = reader.look()
        for event in events:
            on_event(event)
        if state.ended:
            return state
        time.sleep(poll)


def worker_command(run: Run) -> list[str]:
    """The command of a run's process, or of the several that train it together; raises SettingsError."""
    return several.together(several.processes_for(run.settings), module_command("transfer_core.runs.worker", run.folder))


def _launch(run: Run, arguments: list[str]) -> None:
    if not run.automatic:
        _have_way_made(run)
    if not start_process(run, [*worker_command(run), *arguments]):
        raise _already_running(run)


def _have_way_made(run: Run) -> None:
    """What the user asks for has the processor for itself: the automatic model is made again afterwards."""
    for other in list_runs(run.project_folder, AUTOMATIC):
        if read_state(other).status in ACTIVE:
            control.request(other, "stop")


def _ask(run: Run, what: control.Request) -> None:
    state = read_state(run)
    if not state.alive or state.ended:
        raise RunError(_("This run is not at work."), code="not-running", file=run.folder)
    control.request(run, what)


def _already_running(run: Run) -> RunError:
    return RunError(_("This run is at work already."), code="already-running", file=run.folder)

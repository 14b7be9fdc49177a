"""Starting a run's process, asking things of it, and watching it. The process outlives whoever started it."""

from __future__ import annotations

import time
from collections.abc import Callable

from transfer_core.errors import RunError, storage_error
from transfer_core.i18n import _
from transfer_core.processes import module_command, start_apart
from transfer_core.runs import control
from transfer_core.runs.events import Event
from transfer_core.runs.folder import Run
from transfer_core.runs.process import FILE as WORKER_FILE
from transfer_core.runs.process import is_alive
from transfer_core.runs.state import RunReader, RunState, read_state

START_PATIENCE = 30.0  # seconds for an interpreter to come up, on a computer that is busy
END_PATIENCE = 10.0  # seconds for a process to be gone after its last word


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
    if state.status == "finished":
        raise RunError(
            _("This run is finished."), code="already-finished", file=run.folder, fix=_("Make a copy of it to train again.")
        )
    if state.alive and not (state.ended and _gone(run)):
        raise _already_running(run)
    control.clear(run.folder)
    _launch(run, ["--resume"])


def stop(run: Run) -> None:
    """Ask the run to stop where it is; it can be resumed. Raises RunError when it is not at work."""
    _ask(run, "stop")


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
    """The command of a run's process."""
    return module_command("transfer_core.runs.worker", run.folder)


def _launch(run: Run, arguments: list[str]) -> None:
    before = _signs_of_life(run)
    try:
        with run.log_file.open("ab") as log:
            process = start_apart([*worker_command(run), *arguments], log, run.folder)
    except OSError as error:
        raise storage_error(error, run.log_file) from error
    deadline = time.monotonic() + START_PATIENCE
    while _signs_of_life(run) == before:
        if process.poll() is not None and _signs_of_life(run) == before:
            # It made way for another process, or it could not even begin.
            raise _already_running(run) if is_alive(run) else _not_started(run)
        if time.monotonic() > deadline:
            raise _not_started(run)
        time.sleep(0.01)


def _ask(run: Run, what: control.Request) -> None:
    state = read_state(run)
    if not state.alive or state.ended:
        raise RunError(_("This run is not at work."), code="not-running", file=run.folder)
    control.request(run, what)


def _gone(run: Run) -> bool:
    """Wait for the end of a process that has said its last word."""
    deadline = time.monotonic() + END_PATIENCE
    while is_alive(run) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not is_alive(run)


def _signs_of_life(run: Run) -> tuple[bytes, int]:
    """What a run's process changes first: its own file, or on a full disk at least the events, saying that it failed."""
    try:
        worker = (run.folder / WORKER_FILE).read_bytes()
    except OSError:
        worker = b""
    return worker, run.events_file.stat().st_size if run.events_file.exists() else 0


def _already_running(run: Run) -> RunError:
    return RunError(_("This run is at work already."), code="already-running", file=run.folder)


def _not_started(run: Run) -> RunError:
    return RunError(
        _("The run's process could not be started."),
        code="not-started",
        file=run.log_file,
        fix=_("The run's log has the details: {file}.").format(file=run.log_file),
    )

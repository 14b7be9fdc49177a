"""Beginning a run and watching it from a terminal. The run has a process of its own: what happens here does not harm it."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from transfer_core.cli import output
from transfer_core.errors import RunError
from transfer_core.i18n import _
from transfer_core.runs import control, dispatcher, launch, queue
from transfer_core.runs.folder import Run
from transfer_core.runs.phases import phase_title
from transfer_core.runs.starting import START_PATIENCE
from transfer_core.runs.state import RunReader, RunState, read_state

WIDTH = 79
POLL = 0.5  # seconds between two looks at the queue


def begin_and_watch(begin: Callable[[], Run], as_json: bool, reader: RunReader | None = None) -> int:
    """Begin a run and watch it to its end; Ctrl-C asks it to stop. Prints its report, or raises why there is none."""
    live = Live(sys.stderr)
    # Between the run's folder and its process there is nobody yet who could be asked to stop.
    with _interrupts_held() as interrupted:
        run = begin()
    reader = reader or RunReader(run)
    output.say(_("Run {id}: {folder}").format(id=run.id, folder=output.shown(run.folder)))
    try:
        if interrupted:
            raise KeyboardInterrupt
        _wait_for_turn(run)
        state = launch.follow(run, live.on_event, reader=reader)
    except KeyboardInterrupt:
        state = _stop(run, live, reader)
    live.close()
    return conclude(run, state, as_json)


def leave_in_queue(run: Run, as_json: bool) -> int:
    """Say where the run is, and leave it to itself."""
    place = queue.place(run)
    if as_json:
        output.answer({"run": str(run.folder), "id": run.id, "place": place})
    elif place is None:
        output.line(_("Run {id} has begun: {folder}").format(id=run.id, folder=output.shown(run.folder)))
    else:
        output.line(_("Run {id} waits at place {place}.").format(id=run.id, place=place))
    return 0


def conclude(run: Run, state: RunState, as_json: bool) -> int:
    """Print the report of a run that ended, or raise why it has none."""
    if state.status == "finished":
        report = run.report() or {}
        if as_json:
            output.answer(report)
        else:
            for text in summary(report):
                output.line(text)
        return 0
    if state.status == "stopped":
        raise RunError(_("Stopped."), code="stopped", file=run.folder, fix=_resume_with(run))
    if state.status == "paused":
        raise RunError(_("Paused."), code="paused", file=run.folder, fix=_resume_with(run))
    raise state.error or RunError(_("The run failed."), file=run.log_file)


def summary(report: dict[str, Any]) -> Iterator[str]:
    """A report for people."""
    seconds = report.get("seconds", {}).get("total")
    if seconds is not None:
        yield _("Finished in {time}.").format(time=output.duration(seconds))
    yield _("{images} pictures of {classes} classes.").format(images=report.get("images"), classes=len(report.get("classes", [])))
    for name, title in (("val", _("Validation: {score}.")), ("test", _("Test: {score}."))):
        if report.get(name):
            yield title.format(score=output.score(report[name]))
    yield _("Model: {folder}").format(folder=output.shown(report.get("model")))


class Live:
    """How a run goes, on one line of a terminal that is written over, or line by line into a file."""

    def __init__(self, stream: TextIO):
        self._stream = stream
        self._terminal = stream.isatty()
        self._phase = ""
        self._drawn = False

    def on_event(self, event: dict[str, Any]) -> None:
        """Show one event."""
        name = event["event"]
        if name == "phase":
            self._phase = phase_title(str(event.get("name")))
            self._draw(self._phase) if self._terminal else self._write(self._phase)
        elif name == "progress" and self._terminal:
            self._draw(f"{self._phase}  {progress(event)}")
        elif name == "epoch":
            self._write(epoch(event))
        elif name == "notice":
            self._write(output.shown(event.get("message")))
        elif name == "run_resumed":
            self._write(_("Resumed after step {step}.").format(step=event.get("from_step")))

    def close(self) -> None:
        """Wipe the line that is written over."""
        if self._drawn:
            self._stream.write("\r" + " " * WIDTH + "\r")
            self._stream.flush()
            self._drawn = False

    def _write(self, text: str) -> None:
        self.close()
        self._stream.write(text + "\n")
        self._stream.flush()

    def _draw(self, text: str) -> None:
        self._stream.write("\r" + text[:WIDTH].ljust(WIDTH))
        self._stream.flush()
        self._drawn = True


def progress(event: dict[str, Any]) -> str:
    """How far a phase is."""
    done, total = event.get("done") or 0, event.get("total") or 0
    if "bytes_per_second" in event:
        text = _("{done} of {total} MB").format(done=f"{done / 1e6:.1f}", total=f"{total / 1e6:.1f}" if total else "?")
    else:
        text = _("{done} of {total}").format(done=done, total=total)
    if event.get("eta_seconds") is not None:
        text += _(", {time} left").format(time=output.duration(event["eta_seconds"]))
    return text


def epoch(event: dict[str, Any]) -> str:
    """What an epoch came to."""
    text = _("Epoch {number}").format(number=event.get("epoch", "?"))
    if event.get("train_loss") is not None:
        text += _(", loss {loss}").format(loss=f"{event['train_loss']:.4f}")
    if event.get("val_accuracy") is not None:
        text += _(", validation {accuracy} right").format(accuracy=output.percent(event["val_accuracy"]))
    if event.get("seconds") is not None:
        text += f", {output.duration(event['seconds'])}"
    return text


def _wait_for_turn(run: Run) -> None:
    """Return when a process carries the run; raises RunError when it was taken out of the queue before."""
    entry = queue.find(run)
    if entry is None:
        return
    output.say(_("It waits for its turn at place {place}, and begins by itself.").format(place=queue.place(run)))
    while queue.find(run) is not None:
        dispatcher.ensure_dispatcher()
        time.sleep(POLL)
    deadline = time.monotonic() + START_PATIENCE
    while queue.is_begun(entry) and not entry.had and time.monotonic() < deadline:
        time.sleep(POLL)
    if not entry.had and not read_state(run).ended:
        raise _cancelled(run)


def _cancelled(run: Run) -> RunError:
    return RunError(_("It was taken out of the queue before it began."), code="cancelled", file=run.folder, fix=_resume_with(run))


def _stop(run: Run, live: Live, reader: RunReader) -> RunState:
    live.close()
    if queue.find(run) is not None:
        queue.cancel(run)
        raise _cancelled(run)
    try:
        control.request(run, "stop")
        output.say(_("Stopping. Press Ctrl-C once more to leave the run to itself."))
        return launch.follow(run, live.on_event, reader=reader)
    except KeyboardInterrupt:
        live.close()
        raise RunError(
            _("The run is left to itself and stops as soon as it can."),
            code="left",
            file=run.folder,
            fix=_("See how it stands: transfer-studio runs show {id}").format(id=run.id),
        ) from None


def _resume_with(run: Run) -> str:
    return _("Resume with: transfer-studio runs resume {id}").format(id=run.id)


@contextmanager
def _interrupts_held() -> Iterator[list[int]]:
    """Let Ctrl-C wait; the list has one entry for each."""
    received: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: received.append(number))
    try:
        yield received
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)

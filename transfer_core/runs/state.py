"""How a run or a job stands: its last event together with whether its process lives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from transfer_core.errors import TransferError
from transfer_core.i18n import _
from transfer_core.processes import lives
from transfer_core.runs.events import FINAL, Event, EventReader, History
from transfer_core.runs.process import Worker, read_worker
from transfer_core.runs.work import Work

Status = Literal["queued", "starting", "running", "stopped", "paused", "finished", "failed", "died"]
_ENDS: dict[str, Status] = {"run_stopped": "stopped", "run_paused": "paused", "run_finished": "finished", "run_failed": "failed"}
ACTIVE: frozenset[Status] = frozenset({"starting", "running"})
ENDED: frozenset[Status] = frozenset({"stopped", "paused", "finished", "failed", "died"})


def status_title(status: Status) -> str:
    """A status for people."""
    titles: dict[Status, str] = {
        "queued": _("queued"),
        "starting": _("starting"),
        "running": _("running"),
        "stopped": _("stopped"),
        "paused": _("paused"),
        "finished": _("finished"),
        "failed": _("failed"),
        "died": _("died"),
    }
    return titles[status]


@dataclass(frozen=True)
class RunState:
    """A run or a job at one moment. `error` says why it failed or died; `alive` whether its process lives."""

    status: Status
    error: TransferError | None
    history: History
    alive: bool

    @property
    def ended(self) -> bool:
        """Whether nothing more happens unless somebody resumes it."""
        return self.status in ENDED

    @property
    def resumable(self) -> bool:
        """Whether `launch.resume` takes it."""
        return self.status in ("queued", "stopped", "paused", "failed", "died") and not self.alive


@dataclass
class RunReader:
    """What a page or command keeps between two looks at a run or a job, so that each look reads only what is new."""

    work: Work
    history: History = field(default_factory=History)
    events: EventReader = field(init=False)

    def __post_init__(self) -> None:
        self.events = EventReader(self.work.events_file)

    def read(self) -> list[Event]:
        """The new events, taken into `history` already."""
        new = self.events.read()
        if self.events.restarted:
            self.history = History()
        self.history.add(new)
        return new

    def look(self) -> tuple[RunState, list[Event]]:
        """Its state now, and the events that are new."""
        # The process first: one that ends in between has then told so in the events.
        worker, alive = _worker(self.work)
        new = self.read()
        state = _state(self.work, self.history, worker, alive)
        if state.status == "died":  # or another process took the run over in between
            worker, alive = _worker(self.work)
            new += self.read()
            state = _state(self.work, self.history, worker, alive)
        return state, new


def read_state(work: Work, reader: RunReader | None = None) -> RunState:
    """How it stands now; with the `reader` of earlier calls only what is new is read."""
    return (reader or RunReader(work)).look()[0]


def _worker(work: Work) -> tuple[Worker | None, bool]:
    worker = read_worker(work.folder)
    return worker, worker is not None and lives(worker.pid, worker.create_time)


def _state(work: Work, history: History, worker: Worker | None, alive: bool) -> RunState:
    status = _status(history.last, worker, alive)
    error = None
    if status == "failed" and history.error:
        error = TransferError.from_data(history.error)
    elif status == "died":
        error = work.died()
    return RunState(status, error, history, alive)


def _status(last: Event | None, worker: Worker | None, alive: bool) -> Status:
    name = last["event"] if last else "run_queued"
    # A process may live a moment after its last word; one that began after that word is another, resuming the run.
    if last and name in FINAL and (worker is None or worker.began <= last["time"]):
        return _ENDS[name]
    if alive:
        return "starting" if name == "run_queued" or name in FINAL else "running"
    return "queued" if worker is None and name == "run_queued" else "died"

"""The queue: which runs wait for their turn, in which order, and which of those that had it are at work.

It is one small file, written whole under a lock, so that pages, commands and the dispatcher agree whoever of them is killed. An entry is
a turn, not a run: it remembers which process carried the run before, so that it is had once and never again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from transfer_core.advice.computer import usual_device
from transfer_core.errors import RunError, newer_schema
from transfer_core.files import read_json, write_json
from transfer_core.i18n import _
from transfer_core.places import own_folder
from transfer_core.processes import lives
from transfer_core.runs import control, extension
from transfer_core.runs.folder import FILE as RUN_FILE
from transfer_core.runs.folder import Run
from transfer_core.runs.process import began, read_worker
from transfer_core.runs.starting import gone
from transfer_core.runs.state import read_state

if TYPE_CHECKING:
    from transfer_core.training.settings import RunSettings

SCHEMA = 1
FILE = "queue.json"
DEVICES = ("cpu", "cuda")


@dataclass(frozen=True)
class Entry:
    """A turn of the run in `folder` on `device`. `after` says when the process before it began (0: none); `begun` that it is had."""

    folder: Path
    device: str
    after: float
    begun: bool = False

    @property
    def had(self) -> bool:
        """Whether a process has carried the run since."""
        return began(self.folder) != self.after

    @property
    def at_work(self) -> bool:
        """Whether that process lives."""
        worker = read_worker(self.folder)
        return worker is not None and worker.began != self.after and lives(worker.pid, worker.create_time)


def add(run: Run, first: bool = False) -> None:
    """Have the run wait for its turn, at the end or before all others; one that waits already keeps its place, or comes first.

    Raises RunError where there is nothing to do for it: it is at work, or finished.
    """
    state = read_state(run)
    if state.alive and not (state.ended and gone(run)):
        raise RunError(_("This run is at work already."), code="already-running", file=run.folder)
    if state.status == "finished" and not run.reopened():
        raise RunError(
            _("This run is finished."), code="already-finished", file=run.folder, fix=_("Make a copy of it to train again.")
        )
    device = device_for(run.settings)
    with changing() as entries:
        waiting = [entry for entry in entries if not entry.begun]
        mine = next((entry for entry in waiting if entry.folder == run.folder), None)
        if mine is not None and not first:
            return
        # What was asked of the process before this one is none of the next one's business.
        control.clear(run.folder)
        if mine is not None:
            entries.remove(mine)
        entries.insert(0 if first else len(entries), Entry(run.folder, device, began(run.folder)))


def order() -> list[Entry]:
    """Those that wait, the next one first. Raises RunError when the file is damaged."""
    return [entry for entry in _read() if not entry.begun and _there(entry) and not entry.had]


def at_work() -> list[Entry]:
    """Those that had their turn and whose process lives."""
    return [entry for entry in _read() if entry.begun and _there(entry) and entry.at_work]


def stranded() -> bool:
    """Whether a turn was begun by somebody who was killed before the run's process lived."""
    if all(not entry.begun or entry.had for entry in _read()):
        return False
    try:
        with starting().acquire(timeout=0):
            return any(entry.begun and not entry.had and _there(entry) for entry in _read())
    except Timeout:  # it is being started right now
        return False


def find(run: Run) -> Entry | None:
    """The turn that this run waits for; None where it waits for none."""
    return next((entry for entry in order() if entry.folder == run.folder), None)


def place(run: Run) -> int | None:
    """The place of the run among all that wait, from 1; None where it does not wait."""
    return next((number for number, entry in enumerate(order(), 1) if entry.folder == run.folder), None)


def is_begun(entry: Entry) -> bool:
    """Whether this very turn is being started or had."""
    return replace(entry, begun=True) in _read()


def move(run: Run, place: int) -> None:
    """Put a waiting run to this place among those that wait, from 0; raises RunError when it does not wait."""
    with changing() as entries:
        mine = _waiting(run, entries)
        entries.remove(mine)
        waiting = [entry for entry in entries if not entry.begun]
        waiting.insert(max(0, place), mine)
        entries[:] = [entry for entry in entries if entry.begun] + waiting


def cancel(run: Run) -> None:
    """Have a waiting run wait no more; it stays as it is and can be queued again. Raises RunError when it does not wait."""
    with changing() as entries:
        entries.remove(_waiting(run, entries))
        if read_state(run).status == "finished":
            extension.withdraw(run.folder)


def claim(device: str) -> Entry | None:
    """The turn that is due on `device`, marked as begun; None while one is at work there, or where none waits.

    Only for whoever holds `starting`: a turn that was begun and shows no sign of life is then one whose starter was killed.
    """
    with changing() as entries:
        _tidy(entries)
        here = [entry for entry in entries if entry.device == device]
        if any(entry.begun and entry.had for entry in here):
            return None
        due = next((entry for entry in here if entry.begun), next(iter(here), None))
        if due is None:
            return None
        begun = replace(due, begun=True)
        entries[entries.index(due)] = begun
        return begun


def drop(entry: Entry) -> None:
    """Forget a turn that could not be had."""
    with changing() as entries:
        entries[:] = [other for other in entries if other != entry]


def device_for(settings: RunSettings) -> str:
    """Where a run of these settings will train: what they say, or what this computer has."""
    return usual_device() if settings.device == "auto" else settings.device


@contextmanager
def changing() -> Iterator[list[Entry]]:
    """The entries, to be changed in place, and written when they were; nobody else changes them meanwhile."""
    with FileLock(own_folder("queue") / ".lock", thread_local=False):
        before = _read()
        entries = list(before)
        yield entries
        if entries != before:
            data = [asdict(entry) | {"folder": str(entry.folder)} for entry in entries]
            write_json(own_folder("queue") / FILE, {"schema": SCHEMA, "entries": data})


def starting() -> FileLock:
    """Held by whoever starts what is due, so that no two do."""
    return FileLock(own_folder("queue") / ".starting", thread_local=False)


def _tidy(entries: list[Entry]) -> None:
    """Forget the turns that are over, and those of runs that are gone or were begun by somebody else."""
    entries[:] = [entry for entry in entries if _there(entry) and (not entry.had or (entry.begun and entry.at_work))]


def _there(entry: Entry) -> bool:
    return (entry.folder / RUN_FILE).is_file()


def _waiting(run: Run, entries: list[Entry]) -> Entry:
    for entry in entries:
        if entry.folder == run.folder and not entry.begun:
            return entry
    raise RunError(_("This run does not wait in the queue."), code="not-queued", file=run.folder)


def _read() -> list[Entry]:
    file = own_folder("queue") / FILE
    if not file.exists():
        return []
    data = read_json(file, RunError)
    try:
        if data["schema"] > SCHEMA:
            raise newer_schema(RunError, file)
        return [_entry(each) for each in data["entries"]]
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(
            _("{file} does not describe a queue.").format(file=file),
            code="broken-queue",
            file=file,
            fix=_("Delete it: the runs stay, and can be queued again."),
        ) from error


def _entry(data: dict[str, Any]) -> Entry:
    return Entry(Path(data["folder"]), str(data["device"]), float(data["after"]), bool(data["begun"]))

"""How runs stand, read by all tabs through one reader a run, so that each look costs only what is new."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

from transfer_core.runs.folder import Run, list_runs
from transfer_core.runs.state import RunReader, RunState, read_state

_KEPT = 200
_readers: OrderedDict[Path, RunReader] = OrderedDict()
_lock = threading.Lock()

ACTIVE = ("starting", "running")


def state_of(run: Run) -> RunState:
    """How `run` stands now."""
    with _lock:
        reader = _readers.setdefault(run.folder, RunReader(run))
        _readers.move_to_end(run.folder)
        while len(_readers) > _KEPT:
            _readers.popitem(last=False)
        return read_state(run, reader)


def active_run(project_folder: Path) -> Run | None:
    """The run of a project that is at work, the newest if there are several."""
    return next((run for run in list_runs(project_folder) if state_of(run).status in ACTIVE), None)


def has_model(run: Run) -> bool:
    """Whether `run` has left a model to look at and to try."""
    return (run.model_folder / "model.json").is_file()

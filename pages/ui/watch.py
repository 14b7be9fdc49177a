"""How runs and jobs stand, read by all tabs through one reader for each, so that each look costs only what is new."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

from transfer_core.runs.folder import Run, list_runs
from transfer_core.runs.state import ACTIVE, RunReader, RunState, read_state
from transfer_core.runs.work import Work

__all__ = ["ACTIVE", "active_run", "has_model", "state_of"]

_KEPT = 200
_readers: OrderedDict[Path, RunReader] = OrderedDict()
_lock = threading.Lock()


def state_of(work: Work) -> RunState:
    """How a run or a job stands now."""
    with _lock:
        reader = _readers.setdefault(work.folder, RunReader(work))
        _readers.move_to_end(work.folder)
        while len(_readers) > _KEPT:
            _readers.popitem(last=False)
        return read_state(work, reader)


def active_run(project_folder: Path) -> Run | None:
    """The run of a project that is at work, the newest if there are several."""
    return next((run for run in list_runs(project_folder) if state_of(run).status in ACTIVE), None)


def has_model(run: Run) -> bool:
    """Whether `run` has left a model to look at and to try."""
    return (run.model_folder / "model.json").is_file()

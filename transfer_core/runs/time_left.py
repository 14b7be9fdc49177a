"""How long runs still take: by what they tell, and by what runs like them took before."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from transfer_core.runs import extension
from transfer_core.runs.folder import list_runs
from transfer_core.runs.placing import settled

if TYPE_CHECKING:
    from transfer_core.runs.folder import Run
    from transfer_core.runs.state import RunState

# Phases after which there is next to nothing left to do.
LONG = frozenset({"train", "tail", "full", "choose", "evaluate"})


def run_left(run: Run, state: RunState, now: float | None = None) -> float | None:
    """Seconds that the run still takes; None while nobody can know.

    At work in its longest phases, by that phase's own speed, and by what was measured of the one after it; before that, and while it
    waits, by what runs like it took.
    """
    history = state.history
    told = (history.progress or {}).get("eta_seconds")
    if state.alive and told is not None and history.phase in LONG:
        return float(told) + (_measured_of_full(run) if history.phase == "tail" else 0.0)
    usual = usual_seconds(run, len(history.epochs))
    if usual is None or not state.alive:
        return usual
    began = min(history.phases.values(), default=None)
    passed = (time.time() if now is None else now) - began if began is not None else 0.0
    return max(usual - passed, float(told or 0))


def _measured_of_full(run: Run) -> float:
    """Seconds that the plan best will train all stages, once the last ones are trained; 0 in other plans."""
    try:
        return float(settled(run, "full_seconds") or 0.0)
    except ValueError:
        return 0.0


def queue_left(devices: Iterable[tuple[str, float | None]]) -> float | None:
    """Seconds until the last of these runs is through, from each one's device and seconds left; None while one is not known.

    Runs of one device go one after the other, those of different devices at the same time.
    """
    sums: dict[str, float] = {}
    for device, seconds in devices:
        if seconds is None:
            return None
        sums[device] = sums.get(device, 0.0) + seconds
    return max(sums.values(), default=0.0)


def usual_seconds(run: Run, epochs_done: int = 0) -> float | None:
    """What a run like this takes, `epochs_done` of its epochs left out, by the newest finished one of its project; None without one.

    Alike are runs of one plan, backbone and device, with as much of the backbone trained. Raises SettingsError.
    """
    wanted = _kind(run)
    # The newest: its pictures are most like those that this one will find.
    for other in list_runs(run.project_folder):
        report = other.report()
        if report is not None and _kind(other) == wanted:
            return _scaled(run, other, report, epochs_done)
    return None


def _scaled(run: Run, other: Run, report: dict[str, Any], epochs_done: int) -> float | None:
    seconds = report.get("seconds") or {}
    total, train = seconds.get("total"), seconds.get("train")
    if total is None or train is None or run.settings.plan != "custom" or run.settings.steps or run.settings.minutes:
        return None if total is None else float(total)
    # What was added to that one later it has told of in one report only: the last, with the seconds of its last process.
    added = extension.taken(other.folder)
    epochs = added[-1][0] if added else other.settings.planned_epochs
    left = extension.asked(run.folder) or max(0, run.planned_epochs - epochs_done)
    return float(total - train + train * left / max(1, epochs))


def _kind(run: Run) -> tuple[Any, ...]:
    settings = run.settings
    if settings.plan != "custom":
        return settings.plan, settings.backbone, settings.device
    limits = (settings.steps, settings.minutes)
    return settings.plan, settings.backbone, settings.device, settings.freeze, settings.augmentation, settings.image_size, *limits

"""The worker of a run, broken off at a chosen instant: what a process does that `PROCESSES` starts.

What it may be broken off for are ("kill" or "pause", moment, delay); the one whose moment comes first counts, and no other. A moment is a
phase as it begins (`graph-2` is the second one called graph in this process), or `epoch-N` as it is told; the delay are seconds after it.
State is kept after every step, and better trains on fewer views for less long, so that instants within an epoch count.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from transfer_core.runs import control, worker
from transfer_core.runs.events import EventWriter
from transfer_core.runs.folder import Run

Break = tuple[str, str, float]  # how, the moment, and seconds after it

# Hundreds of processes are killed: each is a fork of one that has imported what takes seconds to import, and has done nothing else.
PROCESSES = multiprocessing.get_context("forkserver")
PLANS = ("better", "custom", "conclude")
PROCESSES.set_forkserver_preload(
    [__name__, "transfer_core.training.execute", *(f"transfer_core.training.{plan}" for plan in PLANS)]
)


def moment_of(event: str, fields: dict[str, Any], seen: Counter[str]) -> str | None:
    """What this event is called as a moment, or None; `seen` counts the phases of one process."""
    if event == "epoch":
        return f"epoch-{fields['epoch']}"
    if event != "phase":
        return None
    name = str(fields["name"])
    seen[name] += 1
    return name if seen[name] == 1 else f"{name}-{seen[name]}"


def carry(folder: Path, breaks: Sequence[Break], environment: Mapping[str, str], log: Path) -> None:
    """Do what the worker's process does, and end as it does; `log` gets what that one would write to stderr."""
    os.environ.update(environment)
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), sys.stderr.fileno())
    run = Run(folder)
    _make_short(run)
    _break_off(run, list(breaks))
    sys.exit(worker.main([str(run.folder)]))


def _make_short(run: Run) -> None:
    if run.settings.plan == "quick":  # it has no use for what the others import
        return
    from transfer_core.training import better, loop, recipe, refinement, tail

    loop.KEEP_EVERY = 0.0
    short = replace(recipe.RECIPE, epochs=3, trial_share=1.0, views=2, batch_size=8, rate=1e-3)
    for module in (better, refinement, tail):
        module.RECIPE = short  # type: ignore[attr-defined]
    choose = refinement._choose

    def choose_half(*arguments: Any) -> Any:
        # What real losses decide elsewhere; a network of random numbers may learn nothing worth taking.
        return 0.5, choose(*arguments)[1]

    refinement._choose = choose_half  # type: ignore[assignment]


def _break_off(run: Run, breaks: list[Break]) -> None:
    write, seen = EventWriter.write, Counter[str]()

    def write_then_end(self: EventWriter, event: str, /, **fields: Any) -> None:
        write(self, event, **fields)
        moment = moment_of(event, fields, seen)
        for how, _moment, delay in [each for each in breaks if each[1] == moment][:1]:
            breaks.clear()
            _end(run, how, delay)

    EventWriter.write = write_then_end  # type: ignore[method-assign]


def _end(run: Run, how: str, delay: float) -> None:
    if how == "pause":
        threading.Timer(delay, control.request, (run, "pause")).start()
    elif delay:
        # The kernel ends the process, whatever it does then: nobody handles this signal, and no thread has to get a turn.
        signal.setitimer(signal.ITIMER_REAL, delay)
    else:
        os.kill(os.getpid(), signal.SIGKILL)

"""What the worker calls: a run from its settings to its report."""

from __future__ import annotations

import sys
import time
from typing import Any

import psutil

from transfer_core.data import caches
from transfer_core.training.conclude import Trained, conclude
from transfer_core.training.context import Context
from transfer_core.training.prepare import Prepared, prepare
from transfer_core.training.progress import Clock
from transfer_core.training.quick import train_quick


def execute(context: Context) -> dict[str, Any]:
    """Carry out a run; gives the report that `train --json` prints. Raises TransferError, or Stopped or Paused when that was asked."""
    start = time.perf_counter()
    clock = Clock()
    prepared = context.in_turn(lambda: prepare(context, clock))
    trained = _train(prepared)
    report = conclude(prepared, trained)
    caches.make_room(0, own=False)
    seconds = clock.seconds
    # Done once, for a backbone or a set of pictures, and kept: told apart, so that a first run can be compared with a second.
    graph = seconds.get("graph", 0.0) + seconds.get("weights", 0.0)
    look = seconds.get("look", 0.0)
    return report | {
        "seconds": {
            "total": round(time.perf_counter() - start - graph - look, 3),
            "scan": round(seconds.get("scan", 0.0), 3),
            "decode": round(seconds.get("decode", 0.0), 3),
            "features": round(seconds.get("features", 0.0), 3),
            "train": round(sum(seconds.get(name, 0.0) for name in ("head", "boundary", "tail", "full", "train")), 3),
            "evaluate": round(seconds.get("evaluate", 0.0), 3),
            "graph": round(graph, 3),
            "look": round(look, 3),
        },
        "peak_rss_mb": _peak_rss_mb(),
    }


def assist(context: Context) -> None:
    """What every process of a training does that is not its first: it learns its share, and leaves all else to that one.

    Raises TransferError, Stopped.
    """
    prepared = context.in_turn(lambda: prepare(context, Clock()))
    from transfer_core.training.custom import learn_together

    learn_together(prepared, lambda _done, _all: None)


def _train(prepared: Prepared) -> Trained:
    """What the run's plan learns."""
    plan = prepared.context.settings.plan
    if plan == "quick":
        return train_quick(prepared)
    # Here: it loads torchvision, which takes longer than many a quick run.
    from transfer_core.training.better import train_better
    from transfer_core.training.custom import train_custom

    return train_better(prepared) if plan in ("better", "best") else train_custom(prepared)


def _peak_rss_mb() -> int:
    """The most memory this process has had in use, mapped files included."""
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset) // 2**20
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (2**20 if sys.platform == "darwin" else 2**10)

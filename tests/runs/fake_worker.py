"""A run's process whose training is a stand-in: what it does is said by the settings' `backbone`."""

from __future__ import annotations

import importlib.machinery
import os
import sqlite3
import sys
import time
import types
from pathlib import Path
from typing import Any

from transfer_core.errors import WeightsError
from transfer_core.files import write_text
from transfer_core.runs.worker import main


def last_step(folder: Path) -> int:
    file = folder / "checkpoint" / "step"
    return int(file.read_text()) if file.exists() else 0


def keep_step(folder: Path, step: int) -> None:
    (folder / "checkpoint").mkdir(exist_ok=True)
    # Whole or not at all, as real checkpoints are: tests kill this process at any time.
    write_text(folder / "checkpoint" / "step", str(step))


def execute(context: Any) -> dict[str, Any]:
    what = context.settings.backbone
    context.emit("phase", name="train")
    if what == "fake-refused":
        raise WeightsError("These weights are not for this.", code="wrong-weights", file="w.pth", fix="Choose others.")
    if what == "fake-crash":
        raise ZeroDivisionError("nobody expected this")
    if what == "fake-memory":
        raise MemoryError
    if what == "fake-disk":
        raise OSError(28, "No space left on device", str(context.folder / "checkpoint" / "last"))
    if what == "fake-full-table":
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error
    if what == "fake-exit":
        sys.exit(0)
    if what == "fake-gone":
        os._exit(3)
    if what == "fake-many":
        for number in range(1, 1001):
            context.emit("progress", done=number, total=1000, images_per_second=1.0, eta_seconds=1.0)
    while what == "fake-slow":  # over its first epoch
        context.stop_if_asked()
        time.sleep(0.02)
    step = last_step(context.folder)
    while step < context.settings.epochs + sum(epochs for epochs, _after in context.extensions):
        context.stop_if_asked()
        if context.requested() == "finish":
            break
        time.sleep(0.05)
        step += 1
        context.emit("epoch", step=step, train_loss=1 / step, val_loss=float("nan"), seconds=0.05)
        if step % 2 == 0:  # every other step, so that resuming goes back
            keep_step(context.folder, step)
    score = {"accuracy": 0.9, "low": 0.7, "high": 0.97, "count": 20}
    return {"steps": step, "resumed": context.resumed, "images": 20, "classes": ["cat", "dog"], "val": score, "test": None}


def stand_in(name: str, **members: Any) -> None:
    module = types.ModuleType(name)
    module.__spec__ = importlib.machinery.ModuleSpec(name, None)
    vars(module).update(members)
    sys.modules[name] = module


if __name__ == "__main__":
    stand_in("transfer_core.training.execute", execute=execute)
    stand_in("transfer_core.training.checkpoint", last_step=last_step)
    sys.exit(main())

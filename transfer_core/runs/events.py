"""What a run or a job tells: one JSON object a line, appended to `events.jsonl`, and read by whoever shows it."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from transfer_core.errors import storage_error
from transfer_core.files import write_bytes

Event = dict[str, Any]


@dataclass(frozen=True)
class EventKind:
    """A known event: what it means and what each of its fields holds."""

    meaning: str
    fields: dict[str, str] = field(default_factory=dict)


EVENTS: dict[str, EventKind] = {
    "run_queued": EventKind("The folder was made; no process has begun the work yet."),
    "run_started": EventKind("A process began the work."),
    "phase": EventKind("Another part of the work begins.", {"name": "one of the phases below"}),
    "progress": EventKind(
        "How far the current phase is.",
        {
            "done": "pieces done so far; bytes of a download",
            "total": "pieces in all, or 0 while that is not known",
            "images_per_second": "speed, or null while it is not known",
            "bytes_per_second": "speed of a download, which has no images_per_second, or null while it is not known",
            "eta_seconds": "time this phase still takes, or null while it is not known",
            "candidate": "of a choice, the backbone whose features are computed, or null; others don't have it",
        },
    ),
    "epoch": EventKind(
        "Training went through all pictures once more.",
        {
            "step": "optimiser steps since the run began",
            "epoch": "the number of the epoch, from 1",
            "epochs_before": "epochs of the trainings before this one in the same run: where it grows, another training began",
            "train_loss": "mean loss over the epoch",
            "train_accuracy": "0 to 1, on the augmented training pictures as they were shown",
            "val_loss": "loss on the validation pictures, or null without any",
            "val_accuracy": "0 to 1, on the validation pictures, or null without any",
            "learning_rate": "the rate of the epoch's last step",
            "seconds": "how long the epoch took",
        },
    ),
    "notice": EventKind("Something the user should know, such as a halved batch.", {"message": "a sentence, translated"}),
    "run_resumed": EventKind(
        "Another process carries the work on; readers drop the epochs past `from_step`, and the first telling of an epoch told twice.",
        {"from_step": "step of the checkpoint it goes on from, 0 without one and in jobs"},
    ),
    "run_stopped": EventKind("It ended because somebody asked for it; it can be resumed."),
    "run_paused": EventKind("It ended because somebody asked it to pause, which frees memory and device; it can be resumed."),
    "run_finished": EventKind("It ended with a result: a run with a model.", {"report": "of a run, what `train --json` prints"}),
    "run_failed": EventKind("It ended without a result; it can be resumed.", {"error": "code, message, file and fix"}),
}

PHASES = (
    "weights", "graph", "scan", "look", "decode", "features", "head", "boundary", "tail", "full", "train", "choose", "evaluate",
    "map", "copy",
)  # fmt: skip
FINAL = frozenset({"run_stopped", "run_paused", "run_finished", "run_failed"})
# These must survive a power cut; a lost progress line is made up for by the next one.
_DURABLE = frozenset({name for name in EVENTS if name.startswith("run_")} | {"epoch"})

RESERVE = ".reserve"
RESERVE_BYTES = 64 * 1024


def make_reserve(folder: Path) -> None:
    """Keep some room in `folder` for the last words of a run on a full disk; raises StorageError when there is none."""
    file = folder / RESERVE
    if not file.exists():
        # Random, so that a file system that compresses really gives the room away.
        write_bytes(file, os.urandom(RESERVE_BYTES))


class EventWriter:
    """Appends events to a file. Only one process of a run has one; the run's lock sees to that."""

    def __init__(self, file: Path):
        self.file = file
        try:
            self._descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
            self._torn = not _ends_whole(file)
        except OSError as error:
            raise storage_error(error, file) from error

    def write(self, event: str, /, **fields: Any) -> None:
        """Append one event with the time it is now; raises StorageError when the disk refuses.

        The last event of a run gives up the folder's reserve before it gives up.
        """
        line = json.dumps({"time": round(time.time(), 3), "event": event, **_plain(fields)}, ensure_ascii=False)
        data = (line + "\n").encode("utf-8", "backslashreplace")
        try:
            self._append(data, event in _DURABLE)
        except OSError as error:
            if event not in FINAL:
                raise storage_error(error, self.file) from error
            self._append_from_reserve(data)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def __enter__(self) -> EventWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _append(self, data: bytes, durable: bool) -> None:
        # After a line that was cut short, by a full disk or a kill, ours must start on a line of its own.
        rest = memoryview(b"\n" + data if self._torn else data)
        self._torn = True
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]
        self._torn = False
        if durable:
            os.fsync(self._descriptor)

    def _append_from_reserve(self, data: bytes) -> None:
        try:
            (self.file.parent / RESERVE).unlink(missing_ok=True)
            self._append(data, durable=True)
        except OSError as error:
            raise storage_error(error, self.file) from error


class EventReader:
    """Reads a file of events a bit at a time, while somebody may be writing it."""

    def __init__(self, file: Path):
        self.file = file
        self.restarted = False
        self._offset = 0

    def read(self) -> list[Event]:
        """The events of the whole lines that are new since the last call; what is no event is passed over.

        A file that became shorter (a disk that lost its tail) is read from its start again, and `restarted` says so.
        """
        try:
            with self.file.open("rb") as file:
                self.restarted = os.fstat(file.fileno()).st_size < self._offset
                if self.restarted:
                    self._offset = 0
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            self.restarted, self._offset = self._offset > 0, 0
            return []
        end = data.rfind(b"\n") + 1
        self._offset += end
        return [event for line in data[:end].split(b"\n") if (event := _parse(line)) is not None]


@dataclass
class History:
    """What a run has told so far. `phases` maps each phase to the time it last began, in that order."""

    epochs: list[Event] = field(default_factory=list)
    phase: str | None = None
    phases: dict[str, float] = field(default_factory=dict)
    progress: Event | None = None
    notices: list[str] = field(default_factory=list)
    last: Event | None = None
    error: dict[str, Any] | None = None
    report: dict[str, Any] | None = None

    def add(self, events: Iterable[Event]) -> None:
        """Take in what came after everything given before."""
        for event in events:
            handler = getattr(self, f"_on_{event['event']}", None)
            if handler is not None:
                handler(event)
            self.last = event

    def _on_run_started(self, event: Event) -> None:
        self.phase = self.progress = self.error = self.report = None

    def _on_run_resumed(self, event: Event) -> None:
        self._on_run_started(event)
        from_step = event.get("from_step") or 0
        self.epochs = [epoch for epoch in self.epochs if epoch.get("step", 0) <= from_step]

    def _on_phase(self, event: Event) -> None:
        name = str(event.get("name"))
        self.phase, self.progress = name, None
        self.phases.pop(name, None)
        self.phases[name] = event["time"]

    def _on_progress(self, event: Event) -> None:
        self.progress = event

    def _on_epoch(self, event: Event) -> None:
        # A run killed after it told an epoch, whose steps are kept but not that it is finished, tells it again.
        while self.epochs and self.epochs[-1].get("step", 0) >= event.get("step", math.inf):
            self.epochs.pop()
        self.epochs.append(event)

    def _on_notice(self, event: Event) -> None:
        message = str(event.get("message"))
        if message not in self.notices:  # a resumed run notices the same things again
            self.notices.append(message)

    def _on_run_finished(self, event: Event) -> None:
        self.report = event.get("report")

    def _on_run_failed(self, event: Event) -> None:
        self.error = event.get("error")


def _parse(line: bytes) -> Event | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    known = isinstance(event, dict) and isinstance(event.get("event"), str) and isinstance(event.get("time"), int | float)
    return event if known else None


def _plain(value: Any) -> Any:
    """`value` as JSON has it: numpy's numbers as numbers, paths as text, what is not finite as null."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def _ends_whole(file: Path) -> bool:
    with file.open("rb") as opened:
        if opened.seek(0, os.SEEK_END) == 0:
            return True
        opened.seek(-1, os.SEEK_END)
        return opened.read(1) == b"\n"

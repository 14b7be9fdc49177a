"""What a training run is given: where it writes, what it is told, and how it tells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from transfer_core.data.project import Project
from transfer_core.training.settings import RunSettings

Request = Literal["stop", "finish"]


class Emit(Protocol):
    """Announce a named event with its fields; it is appended to the run's `events.jsonl`."""

    def __call__(self, event: str, /, **fields: Any) -> None: ...


class Stopped(Exception):
    """Raised inside a run when the user asked it to stop; what was done so far stays on disk."""


@dataclass
class Context:
    """One run while it trains. `requested()` says what the user asked for since; `resumed` that an earlier worker began it."""

    folder: Path
    project: Project
    settings: RunSettings
    emit: Emit
    requested: Callable[[], Request | None]
    resumed: bool = False
    extensions: tuple[int, ...] = ()  # epochs that were added to a finished run, in their order

    def stop_if_asked(self) -> None:
        """Raise Stopped when the user asked for it: called between batches."""
        if self.requested() == "stop":
            raise Stopped

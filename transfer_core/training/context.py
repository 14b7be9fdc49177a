"""What a training run is given: where it writes, what it is told, and how it tells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from transfer_core.data.project import Project
from transfer_core.training.settings import RunSettings

Request = Literal["stop", "pause", "finish"]


class Emit(Protocol):
    """Announce a named event with its fields; it is appended to the run's `events.jsonl`."""

    def __call__(self, event: str, /, **fields: Any) -> None: ...


class Stopped(Exception):
    """Raised inside a run when the user asked it to stop; what was done so far stays on disk."""


class Paused(Stopped):
    """Raised inside a run when the user asked it to pause; whoever keeps what is there for the one does so for the other."""


@dataclass
class Context:
    """One run while it trains. `requested()` says what the user asked for since; `resumed` that an earlier worker began it.

    `extensions` are the epochs that the user added to those of the settings, each time the run was finished, in order.
    """

    folder: Path
    project: Project
    settings: RunSettings
    emit: Emit
    requested: Callable[[], Request | None]
    resumed: bool = False
    extensions: tuple[int, ...] = ()

    def stop_if_asked(self) -> None:
        """Raise Stopped or Paused when the user asked for it: called between batches."""
        request = self.requested()
        if request == "stop":
            raise Stopped
        if request == "pause":
            raise Paused

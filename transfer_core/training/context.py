"""What a training run is given: where it writes, what it is told, and how it tells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from transfer_core.data.project import Project
from transfer_core.training.length import Extension
from transfer_core.training.settings import RunSettings
from transfer_core.training.world import ALONE, World

T = TypeVar("T")
Request = Literal["stop", "pause", "finish"]


class Emit(Protocol):
    """Announce a named event with its fields; it is appended to the run's `events.jsonl`."""

    def __call__(self, event: str, /, **fields: Any) -> None: ...


class Stopped(Exception):
    """Raised inside a run when the user asked it to stop; what was done so far stays on disk."""


class Finished(Exception):
    """Raised inside a run, where what was learned so far makes a model already, when the user asked for that model."""


class Paused(Stopped):
    """Raised inside a run when the user asked it to pause; whoever keeps what is there for the one does so for the other."""


@dataclass
class Context:
    """One run while it trains. `requested()` says what the user asked for since; `resumed` that an earlier worker began it.

    `extensions` are the epochs that the user added to those of the settings, each time the run was finished, in order, with how many it had
    made until then. In a training of several processes each has one, and that of the first alone announces and is asked.
    """

    folder: Path
    project: Project
    settings: RunSettings
    emit: Emit
    requested: Callable[[], Request | None]
    resumed: bool = False
    extensions: tuple[Extension, ...] = ()
    world: World = ALONE
    _all_know: bool = field(default=False, init=False)  # that the run ends before its time

    def stop_if_asked(self) -> None:
        """Raise Stopped or Paused when the user asked for it: called between batches."""
        _obey(self.requested())

    def end_if_asked(self) -> None:
        """The same, and raise Finished when the user asked for a model of what was learned so far."""
        request = self.requested()
        _obey(request)
        if request == "finish":
            raise Finished

    def agree(self) -> Request | None:
        """What the user asked for, the same for all processes, where all of them are; raises Stopped or Paused in all of them."""
        request = self._said(self.requested())
        _obey(request)
        return request

    def in_turn(self, work: Callable[[], T]) -> T:
        """`work` in the first process, and then in the others, which find on the disk what that one put there."""
        if not self.world.first:
            self.agree()
        done = work()
        if self.world.first:
            self._said(None)
        return done

    def part(self) -> None:
        """What all processes do together is done: the first goes on alone."""
        self.world.part()
        self.world = ALONE

    def part_early(self, request: Request) -> None:
        """The same, where the run was asked to end; raises RunError (process-lost) where it is ended because one of them did."""
        if not self._all_know:
            self._said(request)
        self.part()

    def _said(self, request: Request | None) -> Request | None:
        said = self.world.agree(request)
        self._all_know = said in ("stop", "pause")
        return said


def _obey(request: Request | None) -> None:
    if request == "stop":
        raise Stopped
    if request == "pause":
        raise Paused

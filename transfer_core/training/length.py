"""How long a training is: its steps, and where in the schedule each of them lies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from transfer_core.training.schedules import factor
from transfer_core.training.settings import RunSettings

Extension = tuple[int, int | None]  # epochs that were added, and after how many; None: after those that were planned
EXTENSION_RATE = 0.3  # of the full rate, in epochs that are added to a training whose rate had come down already


@dataclass(frozen=True)
class Length:
    """Steps of an epoch, and of each part of the training: what was planned, and what was added to it later."""

    per_epoch: int
    parts: tuple[int, ...]

    @property
    def total(self) -> int:
        """All steps."""
        return sum(self.parts)

    @property
    def epochs(self) -> int:
        """All epochs, the last of which may be cut short."""
        return math.ceil(self.total / self.per_epoch)

    def factor(self, settings: RunSettings, step: int) -> float:
        """The factor of the rate in step `step`, from 0."""
        start = 0
        for number, steps in enumerate(self.parts):
            if step < start + steps or number == len(self.parts) - 1:
                share = 1.0 if number == 0 else EXTENSION_RATE
                return share * factor(settings.schedule, settings.warm_up, steps, step - start)
            start += steps
        raise ValueError("a training has at least one part")


def length_of(settings: RunSettings, pictures: int, batch: int, steps: int = 0, extensions: Sequence[Extension] = ()) -> Length:
    """The length of a training: by `steps` if there are any, else by the epochs; then what was added to it.

    What was added to a training that had ended before its time, or within an epoch, begins at the end of the epoch it had come to.
    """
    per_epoch = math.ceil(pictures / (batch * settings.accumulate))
    parts = [steps or settings.steps or per_epoch * settings.epochs]
    for epochs, after in extensions:
        if after is not None:
            parts[-1] = max(0, after * per_epoch - sum(parts[:-1]))
        parts.append(per_epoch * epochs)
    return Length(per_epoch, tuple(parts))

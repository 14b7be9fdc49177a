"""How long a training is: its steps, and where in the schedule each of them lies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from transfer_core.training.schedules import factor
from transfer_core.training.settings import RunSettings

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


def length_of(settings: RunSettings, pictures: int, batch: int, steps: int = 0, extensions: Sequence[int] = ()) -> Length:
    """The length of a training: by `steps` if there are any, else by the epochs; `extensions` are epochs that were added."""
    per_epoch = math.ceil(pictures / (batch * settings.accumulate))
    planned = steps or settings.steps or per_epoch * settings.epochs
    return Length(per_epoch, (planned, *(per_epoch * epochs for epochs in extensions)))

"""Pictures with what the teacher said of them: each is shown several times, so that making it and asking costs a part only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from transfer_core.backbones.starter.teacher import Told

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
FIRST = 32  # batches that are there before the first step


@dataclass(frozen=True)
class Answered:
    """A batch as a step takes it: normalised pictures (batch, 3, pixels, pixels), and what the teacher said."""

    pictures: Tensor
    told: Told


class Answers:
    """The newest `kept` batches; every `shows` steps there is one more, and each step draws its pictures from all of them.

    What a step gets is a function of its number alone: after a break, the batches it draws from are made again.
    """

    def __init__(
        self,
        make: Callable[[int], Tensor],
        ask: Callable[[Tensor], Told],
        *,
        seed: int,
        batch: int,
        shows: int,
        kept: int,
    ) -> None:
        """`make` gives the pictures of a batch by its number, in 0 to 1; `ask` the teacher's answers to normalised ones."""
        self.make, self.ask = make, ask
        self.seed, self.batch, self.shows, self.kept = seed, batch, shows, kept
        self._next = 0  # the number of the batch to be made next
        self._store: list[Tensor] = []  # pictures as bytes, then the parts of what was told, in half precision

    def __call__(self, step: int) -> Answered:
        """The pictures of a step and their answers, half of the time mirrored."""
        made = FIRST + step // self.shows
        for number in range(max(self._next, made - self.kept), made):
            self._keep(number)
        self._next = max(self._next, made)
        generator = np.random.default_rng([self.seed, 1, step])
        rows = torch.from_numpy(generator.choice(min(made, self.kept) * self.batch, self.batch, replace=False))
        pictures, pooled, logits, *hints = (stored[rows.to(stored.device)] for stored in self._store)
        pictures = normalised(pictures.float().div_(255))
        if generator.random() < 0.5:
            pictures = pictures.flip(3).contiguous(memory_format=torch.channels_last)
            hints = [hint.flip(3) for hint in hints]
        return Answered(pictures, Told(pooled.float(), logits.float(), [hint.float() for hint in hints]))

    def told(self, number: int) -> Told:
        """What the teacher says of a batch that is not kept."""
        return self._asked(number)[1]

    def _asked(self, number: int) -> tuple[Tensor, Told]:
        """The pictures of a batch as bytes, and what the teacher says of just these."""
        pictures = (self.make(number) * 255).round_().byte()
        return pictures, self.ask(normalised(pictures.float().div_(255)))

    def _keep(self, number: int) -> None:
        pictures, told = self._asked(number)
        parts = [pictures, *(part.half() for part in (told.pooled, told.logits, *told.hints))]
        if not self._store:
            self._store = [part.new_empty(self.kept * self.batch, *part.shape[1:]) for part in parts]
        place = number % self.kept * self.batch
        for stored, part in zip(self._store, parts, strict=True):
            stored[place : place + self.batch] = part


def normalised(pictures: Tensor) -> Tensor:
    """Pictures in 0 to 1 as both networks take them, channels last."""
    mean, std = (pictures.new_tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
    return ((pictures - mean) / std).contiguous(memory_format=torch.channels_last)

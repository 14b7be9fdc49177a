"""A moving average of what is trained: it wavers less than the last step, and often scores better."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class MovingAverage:
    """Averages of `parameters` with a memory of `decay`, shorter at first: the start would weigh for long (Polyak and Juditsky, 1992)."""

    def __init__(self, parameters: Mapping[str, nn.Parameter], decay: float):
        self._parameters, self._decay = parameters, decay
        self.tensors = {name: parameter.detach().clone() for name, parameter in parameters.items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the parameters after step `step`, from 1."""
        decay = min(self._decay, (1 + step) / (10 + step))
        for name, average in self.tensors.items():
            average.lerp_(self._parameters[name], 1 - decay)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The model has the averages while this lasts."""
        own = {name: parameter.detach().clone() for name, parameter in self._parameters.items()}
        _put(self._parameters, self.tensors)
        try:
            yield
        finally:
            _put(self._parameters, own)


@torch.no_grad()
def _put(parameters: Mapping[str, nn.Parameter], tensors: Mapping[str, Tensor]) -> None:
    for name, parameter in parameters.items():
        parameter.copy_(tensors[name])

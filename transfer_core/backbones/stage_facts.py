"""What each stage of a backbone costs, counted once for the catalogue; never imports torch on its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transfer_core.backbones.network import Backbone


@dataclass(frozen=True)
class StageFacts:
    """One stage: its parameters, its multiply-adds for a picture of the backbone's crop (10^9), and the shape of what it gives."""

    name: str
    parameters: int
    multiply_adds: float
    shape: tuple[int, ...]

    @property
    def values(self) -> int:
        """How many numbers its activation has: what keeping a boundary on disk costs, two bytes each."""
        count = 1
        for side in self.shape:
            count *= side
        return count

    def as_data(self) -> list[Any]:
        """The same as a row of JSON."""
        return [self.name, self.parameters, self.multiply_adds, list(self.shape)]

    @classmethod
    def from_data(cls, row: list[Any]) -> StageFacts:
        """From a row of JSON."""
        name, parameters, multiply_adds, shape = row
        return cls(str(name), int(parameters), float(multiply_adds), tuple(shape))


def count_stages(backbone: Backbone, size: int) -> Iterator[StageFacts]:
    """Count every stage for pictures of `size` pixels. Nothing is computed: the network is moved to the meta device, for good."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    backbone.to("meta").eval()
    activation = torch.empty(1, 3, size, size, device="meta")
    with torch.no_grad():
        for number, stage in enumerate(backbone.stages):
            with FlopCounterMode(display=False) as counter:
                activation = backbone.run(activation, number, number + 1)
            parameters = sum(parameter.numel() for _name, parameter in backbone.stage_parameters(stage))
            # Its two operations are one multiply-add.
            yield StageFacts(stage.name, parameters, counter.get_total_flops() / 2e9, tuple(activation.shape[1:]))

"""The processes that train together: one alone, or those that `torchrun` started."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, distributed


@dataclass(frozen=True)
class World:
    """This process among those that train one model; the first alone tells and keeps."""

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes."""
        return self.rank == 0

    def share(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """This process's part of a batch: together they are all of it."""
        return places[self.rank :: self.size]

    def sum(self, tensors: Sequence[Tensor]) -> None:
        """Each tensor becomes its sum over all processes, in one message."""
        if self.size == 1 or not tensors:
            return
        together = torch.cat([tensor.reshape(-1) for tensor in tensors])
        distributed.all_reduce(together)
        start = 0
        for tensor in tensors:
            tensor.copy_(together[start : start + tensor.numel()].view_as(tensor))
            start += tensor.numel()

    def agree(self, word: str | None) -> str | None:
        """What the first process was asked, for all of them: they must end at the same step."""
        if self.size == 1:
            return word
        said = [word]
        distributed.broadcast_object_list(said)
        return said[0]

    def wait(self) -> None:
        """Until all are here."""
        if self.size > 1:
            distributed.barrier()


ALONE = World()


def join(device: str) -> World:
    """The world that `torchrun` made for this process, or the one of a process alone."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return ALONE
    if not distributed.is_initialized():
        distributed.init_process_group("nccl" if device == "cuda" else "gloo")
    return World(distributed.get_rank(), size)

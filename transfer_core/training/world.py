"""The processes that train together: one alone, or those that `torchrun` started. Torch is imported only where there are several."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from transfer_core.errors import RunError
from transfer_core.i18n import _

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

T = TypeVar("T")

# While the first prepares the pictures, the others wait. That one ended is told by its connection, not by this.
PATIENCE = timedelta(days=1)
Word = Literal["stop", "pause", "finish"]
WORDS: tuple[Word | None, ...] = (None, "stop", "pause", "finish")  # what `agree` sends, as a number
BUCKET = 2**23  # numbers that are summed in one message: more would only take memory


@dataclass(frozen=True)
class World:
    """This process among those that train one model; the first alone tells and keeps.

    Whatever all of them do together raises RunError (process-lost) when one of them ended.
    """

    rank: int = 0
    size: int = 1
    here: int = 1  # how many of them share this computer's processor

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes."""
        return self.rank == 0

    def share(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """This process's part of a batch: together they are all of it."""
        return places[self.rank :: self.size]

    def sum(self, tensors: Sequence[Tensor]) -> None:
        """Each tensor becomes its sum over all processes, many in one message."""
        if self.size == 1:
            return
        before = 0

        def bucket(tensor: Tensor) -> tuple[Any, int]:
            nonlocal before
            before += tensor.numel()
            return tensor.dtype, before // BUCKET

        for _key, group in groupby(tensors, bucket):
            _sum_together(list(group))

    def agree(self, word: Word | None) -> Word | None:
        """What the first process was asked, for all of them: they must end at the same step."""
        if self.size == 1:
            return word
        import torch
        from torch import distributed

        # A number on the processor, between steps: a graphics card need not be waited for.
        said = torch.tensor(WORDS.index(word))
        with _all_there():
            distributed.broadcast(said, 0)
        return WORDS[int(said)]

    def tell(self, value: T) -> T:
        """What the first process has for `value`, in all of them; it is plain data, as JSON holds it."""
        if self.size == 1:
            return value
        import torch
        from torch import distributed

        text = json.dumps(value).encode() if self.first else b""
        length = torch.tensor(len(text))
        with _all_there():
            distributed.broadcast(length, 0)
            said = torch.zeros(int(length), dtype=torch.uint8)
            if self.first:
                said.copy_(torch.frombuffer(bytearray(text), dtype=torch.uint8))
            distributed.broadcast(said, 0)
        value = json.loads(bytes(said.tolist()))
        return value

    def wait(self) -> None:
        """Until all are here."""
        if self.size > 1:
            import torch

            # A sum and not a barrier: that one would be the graphics cards', which may be at work still.
            self.sum([torch.zeros(1)])

    def part(self) -> None:
        """Once all are here, each goes its own way."""
        if self.size > 1:
            from torch import distributed

            self.wait()
            distributed.destroy_process_group()


ALONE = World()


def started_by_torchrun() -> bool:
    """Whether this process is one of several that `torchrun` started; another program's variables of these names don't count."""
    return size() > 1


def size() -> int:
    """How many processes `torchrun` started in all; 1 without it."""
    return int(os.environ["WORLD_SIZE"]) if "TORCHELASTIC_RUN_ID" in os.environ else 1


def rank() -> int:
    """The number of this process among those that `torchrun` started; 0 for one alone."""
    return int(os.environ["RANK"]) if started_by_torchrun() else 0


def join(device: str) -> World:
    """The world that `torchrun` made for this process, with a graphics card for each where `device` is cuda; or the one of a process alone.

    Raises RunError (too-few-cards).
    """
    if not started_by_torchrun():
        return ALONE
    from torch import cuda, distributed

    number, here = int(os.environ["LOCAL_RANK"]), int(os.environ["LOCAL_WORLD_SIZE"])
    if device == "cuda":
        _check_cards(cuda.device_count(), here)
        cuda.set_device(number)
    if not distributed.is_initialized():
        # What lies on the processor goes its own way, so that a word is heard while the cards are at work.
        with _all_there():
            distributed.init_process_group("cpu:gloo,cuda:nccl" if device == "cuda" else "gloo", timeout=PATIENCE)
    return World(distributed.get_rank(), distributed.get_world_size(), here)


def lost(size: int) -> RunError:
    """What is said when one of them ended."""
    return RunError(
        _("One of the {count} processes that trained together has ended, so the others ended too.").format(count=size),
        code="process-lost",
        fix=_("Resume the run: it goes on from its last checkpoint. Its log may say why the process ended."),
    )


def _sum_together(tensors: Sequence[Tensor]) -> None:
    import torch
    from torch import distributed

    together = torch.cat([tensor.reshape(-1) for tensor in tensors])
    with _all_there():
        distributed.all_reduce(together)
    start = 0
    for tensor in tensors:
        tensor.copy_(together[start : start + tensor.numel()].view(tensor.shape))
        start += tensor.numel()


@contextmanager
def _all_there() -> Iterator[None]:
    import torch

    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        # Gloo has no error of its own for a connection that was closed.
        raise lost(size()) from error


def _check_cards(cards: int, processes: int) -> None:
    if processes > cards:
        raise RunError(
            _("{processes} processes were asked for, each with a graphics card of its own, and there are {cards}.").format(
                processes=processes, cards=cards
            ),
            code="too-few-cards",
            fix=_("Set processes to {cards}, or to 0, which takes as many as there are cards.").format(cards=cards),
        )

"""Where a training's batches come from: the pixel map, or activations kept at the boundary."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from transfer_core.features.boundary import BoundaryStore
from transfer_core.images.augment import augment, plain
from transfer_core.images.augmentation import Augmentation
from transfer_core.images.pixels import PixelMap
from transfer_core.models.transfer_model import TransferModel

Places = NDArray[np.int64]  # among the pictures of the feed
MOST_RESIDENT = 0.5  # of a graphics card's free memory
READ_AT_ONCE = 256  # rows, while they are brought there


class Feed(Protocol):
    """Pictures in a fixed order, and how the model takes them."""

    mixable: bool  # whether they can be mixed with each other

    def __len__(self) -> int: ...

    def drawn(self, places: Places, generator: torch.Generator) -> Tensor:
        """What the network is given of these pictures in training: varied, as drawn from `generator`."""

    def plain(self, places: Places) -> Tensor:
        """What it is given to be scored: the pictures as prediction sees them."""

    def logits(self, model: TransferModel, given: Tensor) -> Tensor:
        """Logits `[n, classes]` of what `drawn` or `plain` gave."""


class Rows:
    """Those rows of a store that a training asks for, as tensors on its device: on a graphics card they lie there if they fit."""

    def __init__(self, rows: Any, positions: Places, device: torch.device):
        self._rows, self._positions, self._device = rows, positions, device

    def __len__(self) -> int:
        return len(self._positions)

    def take(self, places: Places) -> Tensor:
        """The rows at these of the positions; the first time all of them are brought to a card that has the room."""
        if self._resident is not None:
            return self._resident[torch.from_numpy(places).to(self._device)]
        rows = self._read(places)
        if self._device.type == "cuda":
            return rows.pin_memory().to(self._device, non_blocking=True)
        return rows

    def _read(self, places: Places) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(self._rows[self._positions[places]]))

    # Not before the first batch: the second of two trainings has the room that the first one leaves.
    @cached_property
    def _resident(self) -> Tensor | None:
        shape, dtype = (len(self), *self._rows.shape[1:]), self._read(np.arange(0)).dtype
        if not has_room(self._device, math.prod(shape) * dtype.itemsize):
            return None
        resident = torch.empty(shape, dtype=dtype, device=self._device)
        for start in range(0, len(self), READ_AT_ONCE):
            places = np.arange(start, min(start + READ_AT_ONCE, len(self)))
            resident[start : start + len(places)] = self._read(places).to(self._device)
        return resident


def has_room(device: torch.device, size: int) -> bool:
    """Whether `size` bytes can stay on a graphics card beside what training needs; elsewhere rows stay where they are."""
    if device.type != "cuda":
        return False
    free, _total = torch.cuda.mem_get_info(device)
    return size <= MOST_RESIDENT * free


class PixelFeed:
    """Pictures from the pixel map, augmented on whole batches as tensors."""

    mixable = True

    def __init__(self, pixels: PixelMap, contents: Sequence[str], augmentation: Augmentation, device: torch.device):
        self._crop, self._augmentation = pixels.view.crop, augmentation
        self._squares = Rows(pixels.rows(), pixels.positions(contents), device)

    def __len__(self) -> int:
        return len(self._squares)

    def drawn(self, places: Places, generator: torch.Generator) -> Tensor:
        """Pictures float `[n, 3, crop, crop]` in 0..1, augmented."""
        return augment(self._squares.take(places), self._crop, generator, self._augmentation)

    def plain(self, places: Places) -> Tensor:
        """Their centres."""
        return plain(self._squares.take(places), self._crop)

    def logits(self, model: TransferModel, given: Tensor) -> Tensor:
        """Through the whole network."""
        logits: Tensor = model(model.source.normalise(given.contiguous(memory_format=model.layout)))
        return logits


class KeptFeed:
    """Activations kept at the model's boundary: the views `numbers` of every picture, one of which is drawn each time."""

    mixable = False  # they are not pictures any more

    def __init__(
        self, store: BoundaryStore, contents: Sequence[str], numbers: Sequence[int], boundary: int, device: torch.device
    ):
        self._boundary, self._views, self._count = boundary, len(numbers), len(contents)
        positions = [store.places(contents, number) for number in numbers]
        self._activations = Rows(store.rows(), np.concatenate(positions), device)

    def __len__(self) -> int:
        return self._count

    def drawn(self, places: Places, generator: torch.Generator) -> Tensor:
        """Activations float `[n, *shape]` of one view of each."""
        views = torch.randint(self._views, (len(places),), generator=generator).numpy()
        return self._activations.take(views * self._count + places).float()

    def plain(self, places: Places) -> Tensor:
        """Those of the first view: 0, the picture as it is, wherever something is scored."""
        return self._activations.take(places).float()

    def logits(self, model: TransferModel, given: Tensor) -> Tensor:
        """Through what is trained alone."""
        return _after(self._boundary, model, given)


class FixedFeed:
    """The same tensors in memory for whatever is asked: what a step costs by itself."""

    mixable = False

    def __init__(self, given: Tensor, count: int, boundary: int = 0):
        self._given, self._count, self._boundary = given, count, boundary

    def __len__(self) -> int:
        return self._count

    def drawn(self, places: Places, generator: torch.Generator) -> Tensor:
        """The first of them, as many as there are places."""
        return self._given[: len(places)]

    def plain(self, places: Places) -> Tensor:
        """The same."""
        return self._given[: len(places)]

    def logits(self, model: TransferModel, given: Tensor) -> Tensor:
        """Through the network from the boundary that the tensors are of."""
        return _after(self._boundary, model, given)


def _after(boundary: int, model: TransferModel, given: Tensor) -> Tensor:
    if given.ndim == 4:
        given = given.contiguous(memory_format=model.layout)
    logits: Tensor = model.target(model.adapter(model.source.run(given, boundary, len(model.source.stages))))
    return logits

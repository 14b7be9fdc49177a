"""Where a training's batches come from: the pixel map, or activations kept at the boundary."""

from __future__ import annotations

from collections.abc import Sequence
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


class PixelFeed:
    """Pictures from the pixel map, augmented on whole batches as tensors; on a graphics card all of them lie there if they fit."""

    mixable = True

    def __init__(self, pixels: PixelMap, contents: Sequence[str], augmentation: Augmentation, device: torch.device):
        self._crop, self._augmentation, self._device = pixels.view.crop, augmentation, device
        self._rows: Any = pixels.rows()
        self._positions = pixels.positions(contents)
        self._resident = self._upload(pixels.row_bytes)

    def __len__(self) -> int:
        return len(self._positions)

    def drawn(self, places: Places, generator: torch.Generator) -> Tensor:
        """Pictures float `[n, 3, crop, crop]` in 0..1, augmented."""
        return augment(self._squares(places), self._crop, generator, self._augmentation)

    def plain(self, places: Places) -> Tensor:
        """Their centres."""
        return plain(self._squares(places), self._crop)

    def logits(self, model: TransferModel, given: Tensor) -> Tensor:
        """Through the whole network."""
        logits: Tensor = model(model.source.normalise(given.contiguous(memory_format=model.layout)))
        return logits

    def _squares(self, places: Places) -> Tensor:
        if self._resident is not None:
            return self._resident[torch.from_numpy(places).to(self._device)]
        squares = torch.from_numpy(np.ascontiguousarray(self._rows[self._positions[places]]))
        if self._device.type == "cuda":
            return squares.pin_memory().to(self._device, non_blocking=True)
        return squares

    def _upload(self, row_bytes: int) -> Tensor | None:
        if self._device.type != "cuda":
            return None
        free, _total = torch.cuda.mem_get_info(self._device)
        if len(self) * row_bytes > MOST_RESIDENT * free:
            return None
        resident = torch.empty((len(self), *self._rows.shape[1:]), dtype=torch.uint8, device=self._device)
        for start in range(0, len(self), 256):
            rows = np.ascontiguousarray(self._rows[self._positions[start : start + 256]])
            resident[start : start + len(rows)] = torch.from_numpy(rows).to(self._device)
        return resident


class KeptFeed:
    """Activations kept at the model's boundary: `views` of every picture, one of which is drawn each time."""

    mixable = False  # they are not pictures any more

    def __init__(self, store: BoundaryStore, contents: Sequence[str], views: int, boundary: int, device: torch.device):
        self._boundary, self._device = boundary, device
        self._rows: Any = store.rows()
        self._positions = np.stack([store.places(contents, number) for number in range(views)])

    def __len__(self) -> int:
        return self._positions.shape[1]

    def drawn(self, places: Places, generator: torch.Generator) -> Tensor:
        """Activations float `[n, *shape]` of one view of each."""
        views = torch.randint(len(self._positions), (len(places),), generator=generator).numpy()
        return self._read(self._positions[views, places])

    def plain(self, places: Places) -> Tensor:
        """Those of the picture as it is, which is view 0."""
        return self._read(self._positions[0, places])

    def logits(self, model: TransferModel, given: Tensor) -> Tensor:
        """Through what is trained alone."""
        return _after(self._boundary, model, given)

    def _read(self, rows: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(self._rows[rows]).to(self._device).float()


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

"""What the frozen stages make of several views of each picture, kept, so that training the rest costs the rest alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from transfer_core.backbones.catalogue import file_name
from transfer_core.backbones.graph import Graph
from transfer_core.backbones.network import Backbone
from transfer_core.features.extract import BATCH, central, session
from transfer_core.images.augment import draw, plain, take
from transfer_core.images.pixels import PixelMap
from transfer_core.images.view import Pixels, View
from transfer_core.rows import KEY_BYTES, RowStore

Activations = NDArray[np.float16]
LARGEST = 65504  # of float16
# Part of what a view is kept under: another way to draw views needs another number.
DRAWN = 1


class ToBoundary(Protocol):
    """Anything that maps prepared pixels uint8 `[n, crop, crop, 3]` to activations float16 `[n, *shape]`."""

    def __call__(self, pixels: Pixels) -> Activations: ...


class GraphToBoundary:
    """The frozen stages' graph in ONNX Runtime."""

    def __init__(self, graph: Graph, boundary: int, threads: int):
        self._name = graph.boundary_name(boundary)
        self._session = session(graph.cut(0, boundary), threads)

    def __call__(self, pixels: Pixels) -> Activations:
        return _halved(self._session.run([self._name], {"pixels": pixels})[0])


class TorchToBoundary:
    """The frozen stages in torch: on a graphics card, and where there is no graph."""

    def __init__(self, backbone: Backbone, boundary: int, device: torch.device):
        self._backbone, self._device = backbone.to(device), device
        self._stages = backbone.prefix(boundary)

    @torch.inference_mode()
    def __call__(self, pixels: Pixels) -> Activations:
        pictures = plain(torch.from_numpy(pixels).to(self._device), pixels.shape[1])
        return _halved(self._stages(self._backbone.normalise(pictures)).float().cpu().numpy())


class BoundaryStore(RowStore):
    """Activations float16 `[N, *shape]` of one backbone, its weights, view and boundary, of pictures of `size` pixels a side.

    Disk: 37 KB a picture of 224 pixels for MobileNetV2's last two stages.
    """

    def __init__(self, folder: Path, backbone: str, digest: str, view: View, size: int, boundary: int, shape: tuple[int, ...]):
        name = f"{file_name(backbone)}-{digest[:16]}-{view.key}-crop{size}-boundary{boundary}-{DRAWN}"
        super().__init__(folder / name, shape, np.float16)
        self.size = size

    def places(self, contents: Sequence[str], number: int) -> NDArray[np.int64]:
        """The rows of the pictures' view `number`; 0 is the picture as prediction sees it."""
        return self.positions(view_key(content, number) for content in contents)


def view_key(content: str, number: int) -> str:
    """What a view is kept under, and drawn from: the same for the same picture wherever it is asked for."""
    return blake2b(f"{content}/{number}".encode(), digest_size=KEY_BYTES).hexdigest()


def keep_views(
    forward: ToBoundary,
    pixels: PixelMap,
    store: BoundaryStore,
    contents: Sequence[str],
    numbers: Sequence[int],
    progress: Callable[[int, int], None] | None = None,
    checkpoint: Callable[[], None] | None = None,
) -> None:
    """Compute and keep those views of `contents` that `store` lacks; `checkpoint()` is called every batch and may raise to stop.

    Memory: one batch of 16.
    """
    with store.lock():
        store.refresh()
        todo = {number: [c for c in dict.fromkeys(contents) if view_key(c, number) not in store] for number in numbers}
        total, done = sum(map(len, todo.values())), 0
        for number, batch in _batches(todo):
            if checkpoint:
                checkpoint()
            shown = _drawn(pixels, batch, number, store.size) if number else _resized(central(pixels, batch), store.size)
            store.append([view_key(content, number) for content in batch], forward(shown))
            done += len(batch)
            if progress:
                progress(done, total)


def _batches(todo: dict[int, list[str]]) -> Iterator[tuple[int, list[str]]]:
    for number, contents in todo.items():
        for start in range(0, len(contents), BATCH):
            yield number, contents[start : start + BATCH]


def _resized(shown: Pixels, size: int) -> Pixels:
    if shown.shape[1] == size:
        return shown
    pictures = torch.from_numpy(shown).permute(0, 3, 1, 2).float()
    pictures = functional.interpolate(pictures, size=(size, size), mode="bilinear", antialias=True)
    return _pixels(pictures)


def _pixels(pictures: Tensor) -> Pixels:
    """Pictures float `[n, 3, size, size]` in 0..255 as pixels `[n, size, size, 3]`."""
    return np.ascontiguousarray(pictures.round_().to(torch.uint8).permute(0, 2, 3, 1).numpy())


def _drawn(pixels: PixelMap, contents: Sequence[str], number: int, size: int) -> Pixels:
    """A view of each, drawn for it alone, so that it does not matter which pictures are computed together."""
    rows: Any = pixels.rows()
    squares = torch.from_numpy(np.ascontiguousarray(rows[pixels.positions(contents)]))
    generators = (torch.Generator().manual_seed(int(view_key(content, number)[:15], 16)) for content in contents)
    drawn = torch.cat([draw(1, generator) for generator in generators])
    return _pixels(take(squares, size, drawn).mul_(255))


def _halved(activations: NDArray[np.float32]) -> Activations:
    return np.asarray(np.clip(activations, -LARGEST, LARGEST), np.float16)

"""The frozen pass of a candidate over pictures of a project: where its features are kept, and how they come there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer_core.advice.candidates import Candidate
from transfer_core.backbones.graph import feature_graph
from transfer_core.data import caches
from transfer_core.errors import ImageError
from transfer_core.features.extract import FeatureStore, Forward, GraphForward, extract
from transfer_core.images.pixels import PixelMap, Source

Checkpoint = Callable[[], None]
Tell = Callable[[str, int, int], None]


class KeptFeatures:
    """Features `[N, D]` on disk, in the order of `contents`: what is asked for is read, and memory does not grow with the rest."""

    def __init__(self, store: FeatureStore, contents: Sequence[str]):
        self._rows = store.rows()
        self._positions = store.positions(contents)

    def __len__(self) -> int:
        return len(self._positions)

    def __getitem__(self, places: Any) -> NDArray[Any]:
        return np.asarray(self._rows[self._positions[places]])


def feature_store(cache: Path, candidate: Candidate) -> FeatureStore:
    """Where the features of a candidate are kept, and where a run looks for them."""
    digest = candidate.kept.digest if candidate.kept else ""
    return FeatureStore(cache / "features", candidate.backbone, digest, candidate.view, candidate.feature_count)


def forward_of(candidate: Candidate, threads: int) -> Forward:
    """The frozen pass; raises BackboneError where no graph can be made of the network."""
    if candidate.make:
        return candidate.make(threads)
    assert candidate.kept is not None
    return GraphForward(feature_graph(candidate.kept, size=candidate.view.crop).file, threads)


def compute(
    cache: Path, candidate: Candidate, sources: Sequence[Source], threads: int, tell: Tell, checkpoint: Checkpoint
) -> tuple[FeatureStore, list[tuple[Source, ImageError]]]:
    """Bring the features of `sources` onto disk, decoding what is not decoded yet; also gives the pictures that can't be read.

    `tell(phase, done, total)` is called with the phases "decode" and "features"; `checkpoint()` may raise to stop, and what was computed
    stays. Raises BackboneError and StorageError.
    """
    store = feature_store(cache, candidate)
    missing = set(store.missing(source.content for source in sources))
    if not missing:
        return store, []
    forward = forward_of(candidate, threads)
    todo = [source for source in sources if source.content in missing]
    pixels = PixelMap(cache / "pixels", candidate.view)
    caches.make_room(len(pixels.missing(missing)) * pixels.row_bytes + len(missing) * store.row_bytes)
    failed = pixels.decode(todo, threads, lambda done, total: tell("decode", done, total), checkpoint)
    broken = {source.content for source, _error in failed}
    contents = [source.content for source in todo if source.content not in broken]
    extract(forward, pixels, store, contents, lambda done, total: tell("features", done, total), checkpoint)
    return store, failed

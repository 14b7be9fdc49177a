"""The map of a project's pictures: those that a network takes to be alike lie near each other. Kept by content: no edit undoes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer_core.advice.map_file import PictureMap, write_map
from transfer_core.backbones.catalogue import backbone_info
from transfer_core.backbones.graph import feature_graph
from transfer_core.backbones.weights import KeptWeights
from transfer_core.data.project import Project
from transfer_core.data.samples import Sample
from transfer_core.errors import DataError
from transfer_core.features.extract import FeatureStore, GraphForward, extract
from transfer_core.features.similarity_map import similarity_map, stratified_rows
from transfer_core.i18n import _
from transfer_core.images.pixels import PixelMap, Source
from transfer_core.metrics.neighbourhoods import neighbours_kept
from transfer_core.metrics.novelty import unit

FEWEST = 3
MOST = 5000  # pictures that are laid out; the others are put among those most like them
JUDGED = 2000  # pictures on which it is found out how far nearness can be believed

Tell = Callable[[str, int, int], None]


def make_map(project: Project, weights: KeptWeights, threads: int, tell: Tell, checkpoint: Callable[[], None]) -> PictureMap:
    """Lay out the pictures that can be used, excluded ones too, and keep the map. No torch, unless the backbone's graph has to be made.

    Features of up to `MOST` pictures, from every class in its share, are computed where they are not on disk; of the others those that are
    there are used. `tell(phase, done, total)` says how far it is, `checkpoint()` may raise to stop. Raises DataError for fewer than three
    pictures, StorageError, BackboneError. Time: the features; then on one core 1.5 s for 1,000 pictures, 12 s for 5,000, 25 s for
    100,000. Memory: the features of the pictures laid out, 26 MB at 1280, beside 1 KB a picture.
    """
    usable = {content: (id, label) for id, content, label in project.table.usable()}
    contents = list(usable)
    info = backbone_info(weights.backbone)
    store = FeatureStore(project.cache / "features", info.name, weights.digest, info.view, info.feature_count)
    first = [contents[place] for place in stratified_rows([label for _id, label in usable.values()], MOST)]
    samples = project.table.samples(state=None, ids=[usable[content][0] for content in first])
    broken = _compute(project, weights, store, samples, threads, tell, checkpoint)
    first = [content for content in first if content in store and content not in broken]
    if len(first) < FEWEST:
        raise DataError(
            _("A map needs at least {count} pictures that can be read.").format(count=FEWEST),
            code="no-images",
            fix=_("Add pictures first."),
        )
    laid_out = set(first) | broken
    there = first + [content for content in contents if content in store and content not in laid_out]
    rows = StoredRows(store, there)
    places = similarity_map(
        rows, np.arange(len(first)), progress=lambda done, total: tell("map", done, total), checkpoint=checkpoint
    )
    judged = np.sort(np.random.default_rng(0).permutation(len(there))[:JUDGED])
    kept = neighbours_kept(unit(rows[judged]), places[judged])
    made = PictureMap(there, places, weights.backbone, kept, len(first))
    write_map(project, made)
    return made


class StoredRows:
    """Rows of a feature store in an order of their own, read where they are asked for."""

    def __init__(self, store: FeatureStore, contents: Sequence[str]):
        self._rows, self._positions = store.rows(), store.positions(contents)

    def __len__(self) -> int:
        return len(self._positions)

    def __getitem__(self, which: Any) -> NDArray[np.float32]:
        return np.asarray(self._rows[self._positions[which]])


def _compute(
    project: Project,
    weights: KeptWeights,
    store: FeatureStore,
    samples: Sequence[Sample],
    threads: int,
    tell: Tell,
    checkpoint: Callable[[], None],
) -> set[str]:
    """Features of `samples`, onto disk; returns the contents of those that can't be read."""
    missing = set(store.missing(sample.content for sample in samples))
    if not missing:
        return set()
    view = backbone_info(weights.backbone).view
    pixels = PixelMap(project.cache / "pixels", view)
    sources = [Source(sample.content, sample.path) for sample in samples if sample.content in missing]
    failed = pixels.decode(sources, threads, lambda done, total: tell("decode", done, total), checkpoint)
    broken = {source.content for source, _error in failed}
    forward = GraphForward(feature_graph(weights, size=view.crop).file, threads)
    contents = [source.content for source in sources if source.content not in broken]
    extract(forward, pixels, store, contents, lambda done, total: tell("features", done, total), checkpoint)
    return broken

"""The map of a project's pictures: those that a network takes to be alike lie near each other. Kept by content: no edit undoes it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from transfer_core.advice.candidates import candidate
from transfer_core.advice.map_file import PictureMap, write_map
from transfer_core.advice.passes import KeptFeatures, Tell, compute
from transfer_core.backbones.catalogue import backbone_info
from transfer_core.backbones.weights import KeptWeights
from transfer_core.data.project import Project
from transfer_core.errors import DataError
from transfer_core.features.similarity_map import similarity_map, stratified_rows
from transfer_core.i18n import _
from transfer_core.images.pixels import Source
from transfer_core.metrics.neighbourhoods import neighbours_kept
from transfer_core.metrics.novelty import unit

FEWEST = 3
MOST = 5000  # pictures that are laid out; the others are put among those most like them


def make_map(project: Project, weights: KeptWeights, threads: int, tell: Tell, checkpoint: Callable[[], None]) -> PictureMap:
    """Lay out the pictures that can be used, excluded ones too, and keep the map. No torch, unless the backbone's graph has to be made.

    Features of up to `MOST` pictures, from every class in its share, are computed where they are not on disk; of the others those that are
    there are used. `tell(phase, done, total)` says how far it is, `checkpoint()` may raise to stop. Raises DataError for fewer than three
    pictures, StorageError, BackboneError. Time: the features; then on one core 1.7 s for 1,000 pictures, 10 s for 5,000 and
    10,000, 17 s for 100,000. Memory: four times the features of the pictures laid out, 100 MB at 1280, beside 1 KB a picture.
    """
    usable = {content: (id, label) for id, content, label in project.table.usable()}
    contents = list(usable)
    first = [contents[place] for place in stratified_rows([label for _id, label in usable.values()], MOST)]
    samples = project.table.samples(state=None, ids=[usable[content][0] for content in first])
    sources = [Source(sample.content, sample.path) for sample in samples]
    looks = candidate(backbone_info(weights.backbone), weights)
    store, failed = compute(project.cache, looks, sources, threads, tell, checkpoint)
    broken = {source.content for source, _error in failed}
    first = [content for content in first if content in store and content not in broken]
    if len(first) < FEWEST:
        raise DataError(
            _("A map needs at least {count} pictures that can be read.").format(count=FEWEST),
            code="no-images",
            fix=_("Add pictures first."),
        )
    laid_out = set(first) | broken
    there = first + [content for content in contents if content in store and content not in laid_out]
    rows = KeptFeatures(store, there)
    places = similarity_map(
        rows, np.arange(len(first)), progress=lambda done, total: tell("map", done, total), checkpoint=checkpoint
    )
    drawn = np.arange(len(first))
    kept = neighbours_kept(unit(rows[drawn]), places[drawn])
    made = PictureMap(there, places, weights.backbone, kept, len(first))
    write_map(project, made)
    return made

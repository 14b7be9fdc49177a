"""The map of a project's pictures: those that a network takes to be alike lie near each other. Kept by content: no edit undoes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from transfer_core.backbones.catalogue import backbone_info
from transfer_core.backbones.graph import feature_graph
from transfer_core.backbones.weights import KeptWeights
from transfer_core.data.project import Project
from transfer_core.data.samples import Sample
from transfer_core.errors import DataError
from transfer_core.features.extract import FeatureStore, GraphForward, extract
from transfer_core.features.similarity_map import MOST, similarity_map, stratified_rows
from transfer_core.features.tsne import Plane
from transfer_core.files import write_bytes
from transfer_core.i18n import _
from transfer_core.images.pixels import PixelMap, Source
from transfer_core.metrics.neighbourhoods import neighbours_kept
from transfer_core.metrics.novelty import unit
from transfer_core.rows import KEY_BYTES

SCHEMA = 1
FILE = "map.safetensors"
FEWEST = 3
JUDGED = 2000  # pictures on which it is found out how far nearness can be believed

Tell = Callable[[str, int, int], None]


@dataclass(frozen=True)
class PictureMap:
    """Where pictures lie: `places` float32 `[N, 2]` of `contents`, told by the features of `backbone`.

    `kept` is the share, 0 to 1, of a picture's ten most similar ones that are among its ten nearest on the map.
    """

    contents: list[str]
    places: Plane
    backbone: str
    kept: float


def make_map(project: Project, weights: KeptWeights, threads: int, tell: Tell, checkpoint: Callable[[], None]) -> PictureMap:
    """Lay out the pictures in use and keep the map in the project's cache. No torch, unless the backbone's graph has to be made.

    Features of up to `MOST` pictures, from every class in its share, are computed where they are not on disk; of the others those that are
    there are used. `tell(phase, done, total)` says how far it is, `checkpoint()` may raise to stop. Raises DataError for fewer than three
    pictures, StorageError, BackboneError. Time: the features; then 2 s for 1,000 pictures, 15 s for 5,000, 40 s for 100,000. Memory: the
    features of the pictures laid out, 26 MB at 1280, beside 0.4 KB a picture.
    """
    used = {content: (id, label) for id, content, label, _relative in project.table.in_use()}
    contents = list(used)
    info = backbone_info(weights.backbone)
    store = FeatureStore(project.cache / "features", info.name, weights.digest, info.view, info.feature_count)
    looked_at = stratified_rows([label for _id, label in used.values()], MOST)
    chosen = project.table.samples(ids=[used[contents[place]][0] for place in looked_at])
    broken = _compute(project, weights, store, chosen, threads, tell, checkpoint)
    there = [content for content in contents if content in store and content not in broken]
    if len(there) < FEWEST:
        raise DataError(
            _("A map needs at least {count} pictures that can be read.").format(count=FEWEST),
            code="no-images",
            fix=_("Add pictures first."),
        )
    rows = StoredRows(store, there)
    places = similarity_map(
        rows,
        [used[content][1] for content in there],
        progress=lambda done, total: tell("map", done, total),
        checkpoint=checkpoint,
    )
    judged = np.sort(np.random.default_rng(0).permutation(len(there))[:JUDGED])
    kept = neighbours_kept(unit(rows[judged]), places[judged])
    made = PictureMap(there, places, weights.backbone, kept)
    _write(project.cache / FILE, made)
    return made


def read_map(project: Project) -> PictureMap | None:
    """The map that was made last, or None: there is none yet, or its file is damaged or of a newer program, which is as good as none."""
    try:
        with safe_open(project.cache / FILE, framework="numpy") as file:
            about = file.metadata() or {}
            contents, places = file.get_tensor("contents"), file.get_tensor("places")
        if int(about["schema"]) > SCHEMA or contents.shape != (len(places), KEY_BYTES) or places.shape[1:] != (2,):
            return None
        names = [row.tobytes().hex() for row in contents]
        return PictureMap(names, places, about["backbone"], float(about["kept"]))
    except (OSError, SafetensorError, KeyError, ValueError):
        return None


def map_file(project: Project) -> Path:
    """Where the map is kept: it changes when a new one is made."""
    return project.cache / FILE


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


def _write(file: Path, made: PictureMap) -> None:
    contents = np.frombuffer(bytes.fromhex("".join(made.contents)), np.uint8).reshape(-1, KEY_BYTES)
    about = {"schema": str(SCHEMA), "backbone": made.backbone, "kept": f"{made.kept:.4f}"}
    write_bytes(file, save({"contents": contents.copy(), "places": made.places}, about))

"""Training the last stages, from activations that are kept at the boundary."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from transfer_core.backbones.network import load_backbone
from transfer_core.features.boundary import (
    BoundaryStore,
    GraphToBoundary,
    ToBoundary,
    TorchToBoundary,
    keep_views,
    view_key,
)
from transfer_core.features.extract import BATCH
from transfer_core.i18n import _
from transfer_core.models.transfer_model import TransferModel
from transfer_core.training.checkpoint import last_step
from transfer_core.training.context import Context
from transfer_core.training.feeds import Feed, FixedFeed, KeptFeed
from transfer_core.training.loop import Task
from transfer_core.training.prepare import Prepared, graph_or_none
from transfer_core.training.progress import duration
from transfer_core.training.recipe import RECIPE, Span
from transfer_core.training.refinement import Candidate, Division, Way, refining_task, seconds_of_both
from transfer_core.training.room import check_space, make_room, views_that_fit
from transfer_core.training.samples import RunSamples


@dataclass(frozen=True)
class FrozenStages:
    """What is not trained, for pictures of one size, and where its activations lie."""

    forward: ToBoundary
    store: BoundaryStore

    def missing(self, contents: list[str], views: range) -> int:
        """How many of these views are to be computed."""
        return len(self.store.missing(view_key(content, number) for content in set(contents) for number in views))


@dataclass(frozen=True)
class Tail:
    """What the frozen stages make of views of every picture, and of pictures held out as prediction sees them."""

    prepared: Prepared
    boundary: int
    shown: BoundaryStore
    scored: BoundaryStore
    views: range  # in `shown`

    def way(self) -> Way:
        """How the last stages are trained."""
        return Way(
            "tail",
            self.task,
            kept=_(
                "On the {count} pictures held out, the trained stages lowered the loss from {before} to {after}, so they are kept."
            ),
            left=_("Training the last stages did not prove better on the pictures held out, so the quick model is kept."),
        )

    def task(self, name: str, model: TransferModel, learn: RunSamples, val: RunSamples, span: Span) -> Task:
        """Training what comes after the boundary on `learn`."""

        device = torch.device(self.prepared.choices.device)
        train = KeptFeed(self.shown, learn.contents, self.views, self.boundary, device)
        scored = KeptFeed(self.scored, val.contents, range(1), self.boundary, device)
        return _tail_task(self.prepared, name, model, learn, val, span, (train, scored))


def _tail_task(
    prepared: Prepared,
    name: str,
    model: TransferModel,
    learn: RunSamples,
    val: RunSamples,
    span: Span,
    feeds: tuple[Feed, Feed],
) -> Task:
    """Training by the recipe, from these feeds."""
    settings = RECIPE.settings(prepared.context.settings, len(learn), span)
    return refining_task(prepared, name, model, settings, learn, val, feeds)


def keep_tail(prepared: Prepared, division: Division, quick: Candidate, boundary: int, later: float) -> Tail:
    """Make the views at the boundary; what all of it takes is told before. `later` are the seconds of what follows the tail.

    Raises Finished.
    """
    context, contents, held = prepared.context, division.everything.contents, division.val.contents
    size = RECIPE.size_for(prepared.info, prepared.choices.size)
    shown = _frozen_stages(prepared, boundary, size)
    scored = shown if size == prepared.choices.size else _frozen_stages(prepared, boundary, prepared.choices.size, shown)
    view, row = shown.store, shown.store.row_bytes
    pictures = len(set(contents))
    views = range(views_that_fit(prepared, view, pictures, RECIPE.views_for(pictures, row)))
    missing = shown.missing(contents, views)
    missing_held = 0 if scored is shown else scored.missing(held, range(1))
    room = missing * row + missing_held * scored.store.row_bytes
    make_room(context, room)
    check_space(view, -(-room // row), _("The views of the pictures need {need} MB, and {free} MB are free."))
    if not context.resumed:
        once = room / row * _seconds_of_view(prepared, shown, boundary, contents)  # what is computed grows as what is kept
        every = _seconds_of_training(prepared, division, quick, boundary, view) + later
        context.emit(
            "notice",
            message=_("This takes about {time}, {once} of it only once for these pictures, and {size} MB on the disk.").format(
                time=duration(once + every), once=duration(once), size=room // 2**20
            ),
        )
    with prepared.clock.phase(context, "boundary") as progress:
        checkpoint = checkpoint_before_training(context)
        pixels, total = prepared.pixels, missing + missing_held
        keep_views(shown.forward, pixels, view, contents, views, lambda done, _all: progress(done, total), checkpoint)
        keep_views(
            scored.forward, pixels, scored.store, held, range(1), lambda done, _all: progress(missing + done, total), checkpoint
        )
    return Tail(prepared, boundary, shown.store, scored.store, views)


def _frozen_stages(prepared: Prepared, boundary: int, size: int, other: FrozenStages | None = None) -> FrozenStages:
    """The frozen stages for pictures of `size` pixels a side; `other` are those for another size."""
    device, graph = torch.device(prepared.choices.device), prepared.graph
    if other is not None and isinstance(other.forward, TorchToBoundary):  # which takes any size
        forward: ToBoundary = other.forward
    else:
        if graph is not None and graph.size != size and device.type != "cuda":
            graph = graph_or_none(prepared.context, prepared.kept, size)
        if graph is None or device.type == "cuda":
            forward = TorchToBoundary(load_backbone(prepared.kept), boundary, device)
        else:
            forward = GraphToBoundary(graph, boundary, prepared.choices.threads)
    shape = forward(np.zeros((1, size, size, 3), np.uint8)).shape[1:]
    folder = prepared.context.project.cache / "boundary"
    store = BoundaryStore(folder, prepared.info.name, prepared.kept.digest, prepared.view, size, boundary, shape)
    return FrozenStages(forward, store)


def checkpoint_before_training(context: Context) -> Callable[[], None]:
    """What ends the work when that is asked for; with the quick model only while nothing was learned beyond it by an earlier process."""
    return context.stop_if_asked if last_step(context.folder) else context.end_if_asked


def _seconds_of_view(prepared: Prepared, stages: FrozenStages, boundary: int, contents: list[str]) -> float:
    """Of making one view: by a batch of them, thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = BoundaryStore(Path(folder), "", "", prepared.view, stages.store.size, boundary, stages.store.shape)
        started = time.perf_counter()
        keep_views(stages.forward, prepared.pixels, scratch, contents[:BATCH], [1])
        return (time.perf_counter() - started) / len(scratch)


def _seconds_of_training(prepared: Prepared, division: Division, quick: Candidate, boundary: int, store: BoundaryStore) -> float:
    """Of both trainings: by a few steps on activations in memory, of which nothing is kept."""
    given = torch.ones(RECIPE.batch_size, *store.shape, device=prepared.choices.device)

    def task(name: str, model: TransferModel, learn: RunSamples, val: RunSamples, span: Span) -> Task:
        feeds = FixedFeed(given, len(learn), boundary), FixedFeed(given, len(val), boundary)
        return _tail_task(prepared, name, model, learn, val, span, feeds)

    return seconds_of_both(division, quick, task)

"""Training the last stages, from activations that are kept at the boundary."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from transfer_core.backbones.network import load_backbone
from transfer_core.features.boundary import (
    Activations,
    BoundaryStore,
    GraphToBoundary,
    ToBoundary,
    TorchToBoundary,
    keep_views,
    view_key,
)
from transfer_core.features.extract import BATCH, central
from transfer_core.i18n import _
from transfer_core.models.transfer_model import TransferModel
from transfer_core.training.checkpoint import last_step
from transfer_core.training.context import Context
from transfer_core.training.feeds import Feed, FixedFeed, KeptFeed
from transfer_core.training.loop import Task
from transfer_core.training.prepare import Prepared
from transfer_core.training.progress import duration
from transfer_core.training.recipe import RECIPE, Span
from transfer_core.training.refinement import Candidate, Division, Way, refining_task, seconds_of_both
from transfer_core.training.room import check_space, make_room, views_that_fit
from transfer_core.training.samples import RunSamples


@dataclass(frozen=True)
class Tail:
    """The views that were kept of every picture, and where in the backbone."""

    prepared: Prepared
    boundary: int
    store: BoundaryStore
    views: int

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
        train, scored = (KeptFeed(self.store, samples.contents, self.views, self.boundary, device) for samples in (learn, val))
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
    context, choices, contents = prepared.context, prepared.choices, division.everything.contents
    device = torch.device(choices.device)
    forward: ToBoundary = (
        TorchToBoundary(load_backbone(prepared.kept), boundary, device)
        if prepared.graph is None or device.type == "cuda"
        else GraphToBoundary(prepared.graph, boundary, choices.threads)
    )
    sample = forward(central(prepared.pixels, contents[:BATCH]))
    folder = context.project.cache / "boundary"
    store = BoundaryStore(folder, prepared.info.name, prepared.kept.digest, prepared.view, boundary, sample.shape[1:])
    pictures = len(set(contents))
    views = views_that_fit(prepared, store, pictures, RECIPE.views_for(pictures, store.row_bytes))
    missing = len(store.missing(view_key(content, number) for content in set(contents) for number in range(views)))
    make_room(context, missing * store.row_bytes)
    check_space(store, missing, _("The views of the pictures need {need} MB, and {free} MB are free."))
    if not context.resumed:
        once = missing * _seconds_of_view(prepared, forward, sample, boundary, contents)
        every = _seconds_of_training(prepared, division, quick, boundary, sample) + later
        context.emit(
            "notice",
            message=_("This takes about {time}, {once} of it only once for these pictures, and {size} MB on the disk.").format(
                time=duration(once + every), once=duration(once), size=missing * store.row_bytes // 2**20
            ),
        )
    with prepared.clock.phase(context, "boundary") as progress:
        keep_views(forward, prepared.pixels, store, contents, range(views), progress, checkpoint_before_training(context))
    return Tail(prepared, boundary, store, views)


def checkpoint_before_training(context: Context) -> Callable[[], None]:
    """What ends the work when that is asked for; with the quick model only while nothing was learned beyond it by an earlier process."""
    return context.stop_if_asked if last_step(context.folder) else context.end_if_asked


def _seconds_of_view(prepared: Prepared, forward: ToBoundary, sample: Activations, boundary: int, contents: list[str]) -> float:
    """Of making one view: by a batch of them, thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = BoundaryStore(Path(folder), "", "", prepared.view, boundary, sample.shape[1:])
        started = time.perf_counter()
        keep_views(forward, prepared.pixels, scratch, contents[:BATCH], [1])
        return (time.perf_counter() - started) / len(scratch)


def _seconds_of_training(prepared: Prepared, division: Division, quick: Candidate, boundary: int, sample: Activations) -> float:
    """Of both trainings: by a few steps on activations in memory, of which nothing is kept."""
    given = torch.from_numpy(sample).float().repeat(-(-RECIPE.batch_size // len(sample)), *[1] * (sample.ndim - 1))
    given = given.to(prepared.choices.device)

    def task(name: str, model: TransferModel, learn: RunSamples, val: RunSamples, span: Span) -> Task:
        feeds = FixedFeed(given, len(learn), boundary), FixedFeed(given, len(val), boundary)
        return _tail_task(prepared, name, model, learn, val, span, feeds)

    return seconds_of_both(division, quick, task)

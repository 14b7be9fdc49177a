"""Training the last stages, from activations that are kept at the boundary."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from transfer_core.backbones.network import load_backbone
from transfer_core.errors import StorageError
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
from transfer_core.training.feeds import Feed, FixedFeed, KeptFeed
from transfer_core.training.length import length_of
from transfer_core.training.loop import Task, seconds_of_step
from transfer_core.training.prepare import Prepared
from transfer_core.training.progress import duration
from transfer_core.training.recipe import RECIPE
from transfer_core.training.refinement import Candidate, Division, Way
from transfer_core.training.room import make_room, views_that_fit
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

    def task(self, name: str, model: TransferModel, learn: RunSamples, val: RunSamples, trial: bool) -> Task:
        """Training what comes after the boundary on `learn`."""

        def feed(samples: RunSamples) -> Feed:
            device = torch.device(self.prepared.choices.device)
            return KeptFeed(self.store, samples.contents, self.views, self.boundary, device)

        return tail_task(self.prepared, name, model, learn, val, trial, feed)


def tail_task(
    prepared: Prepared,
    name: str,
    model: TransferModel,
    learn: RunSamples,
    val: RunSamples,
    trial: bool,
    feed: Callable[[RunSamples], Feed],
) -> Task:
    """Training by the recipe, from what `feed` gives."""
    choices, classes = prepared.choices, prepared.samples.classes
    settings = RECIPE.settings(prepared.context.settings, len(learn), trial)
    return Task(
        context=prepared.context,
        settings=settings,
        model=model,
        train=feed(learn),
        labels=learn.labels(classes),
        val=feed(val),
        val_labels=val.labels(classes),
        classes=len(classes),
        batch=settings.batch_size,
        length=length_of(settings, len(learn), settings.batch_size),
        folder=prepared.context.folder / "checkpoint" / name,
        device=torch.device(choices.device),
        precision=getattr(torch, choices.precision),
        keep_best=False,
    )


def keep_tail(prepared: Prepared, division: Division, quick: Candidate, boundary: int, later: float) -> Tail:
    """Make the views at the boundary; what all of it takes is told before. `later` are the seconds of what follows the tail."""
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
    _check_space(store, missing)
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
        keep_views(forward, prepared.pixels, store, contents, range(views), progress, context.stop_if_asked)
    return Tail(prepared, boundary, store, views)


def _check_space(store: BoundaryStore, new: int) -> None:
    need, free = new * store.row_bytes, shutil.disk_usage(store.folder).free
    if need > free:
        raise StorageError(
            _("The views of the pictures need {need} MB, and {free} MB are free.").format(
                need=need // 2**20 + 1, free=free // 2**20
            ),
            code="disk-full",
            file=store.folder,
            fix=_("Free some space on this disk, or set TRANSFER_STUDIO_HOME to a folder on a larger one; then resume the run."),
        )


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
    given = given.contiguous(memory_format=torch.channels_last) if given.ndim == 4 else given

    def same(samples: RunSamples) -> Feed:
        return FixedFeed(given, len(samples), boundary)

    first = tail_task(prepared, "measured", quick.compared, division.learn, RunSamples([]), division.refit, same)
    steps = first.length.total
    if division.refit:
        steps += tail_task(prepared, "measured", quick.whole, division.everything, RunSamples([]), False, same).length.total
    return steps * seconds_of_step(first)

"""The plan better: the quick model, then its last stages trained from it, and as much of that as proves better on pictures held out."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from transfer_core.backbones.network import load_backbone
from transfer_core.errors import RunError, StorageError
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
from transfer_core.features.logistic import fit_logistic
from transfer_core.i18n import _
from transfer_core.metrics.calibration import cross_entropy, fit_temperature
from transfer_core.models.heads import LogisticHead
from transfer_core.models.transfer_model import TransferModel
from transfer_core.training import checkpoint
from transfer_core.training.conclude import Trained
from transfer_core.training.custom import as_trained
from transfer_core.training.feeds import Feed, FixedFeed, KeptFeed
from transfer_core.training.folds import assign_folds
from transfer_core.training.length import Length, length_of
from transfer_core.training.loop import Progress, Task, answers, seconds_of_step, train
from transfer_core.training.prepare import Prepared
from transfer_core.training.progress import duration
from transfer_core.training.quick import train_quick
from transfer_core.training.recipe import RECIPE
from transfer_core.training.room import make_room, views_that_fit
from transfer_core.training.samples import RunSamples
from transfer_core.training.state import put_kept, snapshot, to_train

# What ends a training of the last stages, and not the run: there is a finished model to fall back on.
GIVEN_UP = frozenset({"diverged", "out-of-memory"})


@dataclass(frozen=True)
class _Division:
    """What is learned from while candidates are compared, what they are compared on, and whether all of it is learned from afterwards."""

    everything: RunSamples
    held: NDArray[np.bool_]
    refit: bool

    @property
    def learn(self) -> RunSamples:
        return RunSamples([s for s, held in zip(self.everything.samples, self.held, strict=True) if not held])

    @property
    def val(self) -> RunSamples:
        return RunSamples([s for s, held in zip(self.everything.samples, self.held, strict=True) if held])


def train_better(prepared: Prepared) -> Trained:
    """Make the quick model; train its last stages on four fifths; see on the rest how much of that to take; train on all.

    What the user set apart for validation is never learned from. Where nothing can be held out, or is better, it is the quick model.
    """
    context, samples = prepared.context, prepared.samples
    quick = train_quick(prepared)
    division = _divide(samples, context.settings.seed)
    backbone = load_backbone(prepared.kept)
    boundary = RECIPE.boundary(prepared.info.stages, len(backbone.stages))
    if not division.held.any() or division.held.all() or boundary == 0:
        return quick
    tail = _Tail(prepared, quick, division, boundary)
    store, views = _keep(tail)

    def feed(samples: RunSamples) -> Feed:
        return KeptFeed(store, samples.contents, views, boundary, torch.device(prepared.choices.device))

    with prepared.clock.phase(context, "tail") as progress:
        first = tail.task("first", division.learn, ~division.held, division.val, feed)
        first_pictures = first.length.epochs * len(division.learn)
        total = first_pictures
        if division.refit:
            total += RECIPE.epochs_for(len(division.everything)) * len(division.everything)
        start = snapshot(first.model)
        try:
            train(first, lambda done, _all: progress(done, total))
        except RunError as error:
            if error.code not in GIVEN_UP:
                raise
            context.emit("notice", message=_("{reason} The quick model is kept.").format(reason=error.message))
            return quick
        put_kept(first.model, checkpoint.load_best(first.folder))
        amount, val_logits = _choose(prepared, first, start, division.val)
        if amount == 0:
            return quick
        model, learnt = first.model, division.learn
        if division.refit and context.requested() != "finish":
            second = tail.task("second", division.everything, np.ones_like(division.held), RunSamples([]), feed, first.length)
            start = snapshot(second.model)
            # A training that was broken off is not the one that was held against the quick model.
            if _to_its_end(prepared, second, lambda done, _all: progress(first_pictures + done, total)):
                put_kept(second.model, checkpoint.load_best(second.folder))
                blend(second.model, start, snapshot(second.model), amount)
                model, learnt = second.model, division.everything
    return as_trained(prepared, model, quick.classes, learnt, division.val, val_logits)


@dataclass(frozen=True)
class _Tail:
    """What both trainings of the last stages have in common."""

    prepared: Prepared
    quick: Trained
    division: _Division
    boundary: int

    def task(
        self,
        name: str,
        learn: RunSamples,
        learnt: NDArray[np.bool_],
        val: RunSamples,
        feed: Callable[[RunSamples], Feed],
        before: Length | None = None,
    ) -> Task:
        """Training on `learn`, from the quick model of those pictures that are `learnt`; `before` is what the run trained before it."""
        prepared, choices, classes = self.prepared, self.prepared.choices, self.quick.classes
        device = torch.device(choices.device)
        settings = RECIPE.settings(prepared.context.settings, len(learn))
        head = _head(prepared, self.division.everything, learnt, float(self.quick.about["strength"]), classes)
        model = TransferModel(load_backbone(prepared.kept).freeze(self.boundary), head)
        return Task(
            context=prepared.context,
            settings=settings,
            model=model.to(device).to(memory_format=torch.channels_last),
            train=feed(learn),
            labels=learn.labels(classes),
            val=feed(val),
            val_labels=val.labels(classes),
            classes=len(classes),
            batch=settings.batch_size,
            length=length_of(settings, len(learn), settings.batch_size),
            folder=prepared.context.folder / "checkpoint" / name,
            device=device,
            precision=getattr(torch, choices.precision),
            epochs_before=before.epochs if before else 0,
            steps_before=before.total if before else 0,
            keep_best=False,
        )


def _to_its_end(prepared: Prepared, task: Task, progress: Progress) -> bool:
    """Train on all pictures; False when it did not come to its end."""
    try:
        return train(task, progress)
    except RunError as error:
        if error.code not in GIVEN_UP:
            raise
        message = _("{reason} What was learned without the pictures held out is kept.").format(reason=error.message)
        prepared.context.emit("notice", message=message)
        return False


@torch.no_grad()
def blend(model: TransferModel, start: dict[str, Tensor], end: dict[str, Tensor], amount: float) -> None:
    """Put the model `amount` of the way from `start` to `end` (WiSE-FT: Wortsman et al., 2022)."""
    for name, parameter in to_train(model).items():
        parameter.copy_(torch.lerp(start[name], end[name], amount))


def _divide(samples: RunSamples, seed: int) -> _Division:
    """The first fold is held out; with a validation set of the user's, or with many pictures, there is no other."""
    learn = samples.of("train", "val")
    folds = assign_folds(learn, seed)
    given = any(sample.given and sample.split == "val" for sample in learn.samples)
    return _Division(learn, folds == 0, not given)


def _head(
    prepared: Prepared, samples: RunSamples, learnt: NDArray[np.bool_], strength: float, classes: list[str]
) -> LogisticHead:
    """The logistic head of those samples that are `learnt`, at the strength that the quick model chose."""
    store = prepared.store()
    features = torch.from_numpy(store.rows()[store.positions(samples.contents)])
    folds = torch.from_numpy(np.where(learnt, -1, 0).astype(np.int64))
    fit = fit_logistic(
        features,
        torch.from_numpy(samples.labels(classes)),
        len(classes),
        folds,
        strengths=(strength,),
        refit=False,
        checkpoint=prepared.context.stop_if_asked,
    )
    head = LogisticHead(features.shape[1], len(classes))
    head.load_state_dict({"weight": fit.weight, "bias": fit.bias})
    return head


def _choose(prepared: Prepared, task: Task, start: dict[str, Tensor], val: RunSamples) -> tuple[float, NDArray[np.float32]]:
    """How much of the training to take, by the held-out loss of each blend at its own best temperature, and the logits of that blend.

    All of it unless the quick model is better; then half of it, unless that is no better either: with few pictures held out, the
    smallest of three losses is mostly luck, while whether training helped at all is told more surely.
    """
    model, end, labels = task.model, snapshot(task.model), task.val_labels
    logits: dict[float, NDArray[np.float32]] = {}
    losses: dict[float, float] = {}
    for amount in RECIPE.blends:
        blend(model, start, end, amount)
        logits[amount] = answers(prepared.context, model, task.val).numpy()
        losses[amount] = float(cross_entropy(logits[amount] / fit_temperature(logits[amount], labels), labels))
    better = [amount for amount in RECIPE.blends if amount and losses[amount] < losses[0.0]]
    chosen = max(better, default=0.0)
    blend(model, start, end, chosen)
    if chosen == 0:
        message = _("Training the last stages did not prove better on the pictures held out, so the quick model is kept.")
    else:
        message = _(
            "On the {count} pictures held out, the trained stages lowered the loss from {before} to {after}, so they are kept."
        ).format(count=len(val), before=f"{losses[0.0]:.3f}", after=f"{losses[chosen]:.3f}")
    prepared.context.emit("notice", message=message)
    return chosen, logits[chosen]


def _keep(tail: _Tail) -> tuple[BoundaryStore, int]:
    """All views of all pictures at the boundary, and how many of each there are; what they need is told before."""
    prepared, boundary = tail.prepared, tail.boundary
    context, choices, contents = prepared.context, prepared.choices, tail.division.everything.contents
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
        _tell(tail, forward, sample, missing, store.row_bytes)
    with prepared.clock.phase(context, "boundary") as progress:
        keep_views(forward, prepared.pixels, store, contents, range(views), progress, context.stop_if_asked)
    return store, views


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


def _tell(tail: _Tail, forward: ToBoundary, sample: Activations, missing: int, row_bytes: int) -> None:
    """How long it takes and what it puts on the disk: from a batch of views made, and a few steps made, before the start."""
    division = tail.division
    with tempfile.TemporaryDirectory() as folder:
        scratch = BoundaryStore(Path(folder), "", "", tail.prepared.view, tail.boundary, sample.shape[1:])
        started = time.perf_counter()
        keep_views(forward, tail.prepared.pixels, scratch, division.everything.contents[:BATCH], [1])
        once = missing * (time.perf_counter() - started) / len(scratch)
    given = torch.from_numpy(sample).float().repeat(-(-RECIPE.batch_size // len(sample)), *[1] * (sample.ndim - 1))
    given = given.to(tail.prepared.choices.device)
    given = given.contiguous(memory_format=torch.channels_last) if given.ndim == 4 else given

    def same(samples: RunSamples) -> Feed:
        return FixedFeed(given, len(samples), tail.boundary)

    measured = tail.task("measured", division.learn, ~division.held, RunSamples([]), same)
    steps = measured.length.total
    if division.refit:
        steps += length_of(
            RECIPE.settings(measured.settings, len(division.everything)), len(division.everything), measured.batch
        ).total
    every = steps * seconds_of_step(measured)
    tail.prepared.context.emit(
        "notice",
        message=_("This takes about {time}, {once} of it only once for these pictures, and {size} MB on the disk.").format(
            time=duration(once + every), once=duration(once), size=missing * row_bytes // 2**20
        ),
    )

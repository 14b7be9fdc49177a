"""The plan better: the quick model, then its last stages trained from it, and as much of that as proves better on pictures held out."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from transfer_core.backbones.network import load_backbone
from transfer_core.errors import StorageError
from transfer_core.features.boundary import BoundaryStore, GraphToBoundary, ToBoundary, TorchToBoundary, keep_views, view_key
from transfer_core.features.extract import BATCH, central
from transfer_core.features.logistic import fit_logistic
from transfer_core.i18n import _
from transfer_core.metrics.calibration import cross_entropy, fit_temperature
from transfer_core.models.heads import LogisticHead
from transfer_core.models.transfer_model import TransferModel
from transfer_core.training.conclude import Trained
from transfer_core.training.custom import as_trained
from transfer_core.training.folds import assign_folds
from transfer_core.training.prepare import Prepared
from transfer_core.training.quick import train_quick
from transfer_core.training.recipe import RECIPE
from transfer_core.training.samples import RunSamples
from transfer_core.training.tail import Diverged, Kept, Part, Progress, answers, blend, snapshot, train_tail

# Seconds of a step, against those of the same stages forward in the graph together with the drawing of a view.
STEP = 2.0


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
    classes = quick.classes
    device = torch.device(prepared.choices.device)
    kept = _keep(prepared, division, boundary, device)

    def model_from(parts: NDArray[np.bool_]) -> TransferModel:
        """The backbone as it was pretrained, with the logistic head of the pictures that are in `parts`."""
        head = _head(prepared, division.everything, parts, float(quick.about["strength"]), classes)
        model = TransferModel(load_backbone(prepared.kept).freeze(boundary), head)
        return model.to(device).to(memory_format=torch.channels_last)

    with prepared.clock.phase(context, "tail") as progress:
        first = Part(division.learn, division.val, classes, RECIPE.epochs_for(len(division.learn)))
        second = Part(
            division.everything,
            RunSamples([]),
            classes,
            RECIPE.epochs_for(len(division.everything)),
            first.epochs,
            first.epochs * first.steps_per_epoch,
        )
        seen = first.epochs * len(first.learn)
        total = seen + (second.epochs * len(second.learn) if division.refit else 0)
        model = model_from(~division.held)
        start = snapshot(model)
        try:
            train_tail(context, model, kept, first, progress, 0, total)
        except Diverged:
            context.emit(
                "notice",
                message=_("Training the last stages broke down: its loss is no number any more. The quick model is kept."),
            )
            return quick
        amount, val_logits = _choose(prepared, model, start, kept, division.val, classes)
        if amount == 0:
            return quick
        learnt = division.learn
        if division.refit and context.requested() != "finish":
            whole = model_from(np.ones_like(division.held))
            start = snapshot(whole)
            # A training that was broken off is not the one that was held against the quick model.
            if _trained(prepared, whole, kept, second, progress, seen, total):
                blend(whole, start, snapshot(whole), amount)
                model, learnt = whole, division.everything
    return as_trained(prepared, model, classes, learnt, division.val, val_logits)


def _trained(
    prepared: Prepared, model: TransferModel, kept: Kept, part: Part, progress: Progress, seen_before: int, total: int
) -> bool:
    """Train on all pictures; False when it did not come to its end."""
    try:
        return train_tail(prepared.context, model, kept, part, progress, seen_before, total)
    except Diverged:
        prepared.context.emit(
            "notice", message=_("Training on all pictures broke down. What was learned without those held out is kept.")
        )
        return False


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


def _choose(
    prepared: Prepared, model: TransferModel, start: dict[str, torch.Tensor], kept: Kept, val: RunSamples, classes: list[str]
) -> tuple[float, NDArray[np.float32]]:
    """How much of the training to take, by the held-out loss of each blend at its own best temperature, and the logits of that blend.

    All of it unless the quick model is better; then half of it, unless that is no better either: with few pictures held out, the
    smallest of three losses is mostly luck, while whether training helped at all is told more surely.
    """
    end, labels = snapshot(model), val.labels(classes)
    logits: dict[float, NDArray[np.float32]] = {}
    losses: dict[float, float] = {}
    for amount in RECIPE.blends:
        blend(model, start, end, amount)
        logits[amount] = answers(prepared.context, model, kept, val, len(classes))
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


def _keep(prepared: Prepared, division: _Division, boundary: int, device: torch.device) -> Kept:
    """All views of all pictures, at the boundary; what they need is told before."""
    context, choices, view = prepared.context, prepared.choices, prepared.view
    forward: ToBoundary = (
        TorchToBoundary(load_backbone(prepared.kept), boundary, device)
        if prepared.graph is None or device.type == "cuda"
        else GraphToBoundary(prepared.graph, boundary, choices.threads)
    )
    contents = division.everything.contents
    sample = forward(central(prepared.pixels, contents[:BATCH]))
    store = BoundaryStore(
        context.project.cache / "boundary", prepared.info.name, prepared.kept.digest, view, boundary, sample.shape[1:]
    )
    views = RECIPE.views_for(len(set(contents)), store.row_bytes)
    missing = len(store.missing(view_key(content, number) for content in set(contents) for number in range(views)))
    _check_space(store, missing)
    if not context.resumed:
        _tell(prepared, forward, division, missing, store.row_bytes)
    with prepared.clock.phase(context, "boundary") as progress:
        keep_views(forward, prepared.pixels, store, contents, range(views), progress, context.stop_if_asked)
    return Kept(store, views, device)


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


def _tell(prepared: Prepared, forward: ToBoundary, division: _Division, missing: int, row_bytes: int) -> None:
    """How long it takes and what it puts on the disk, from one batch of what is frozen, and from the share that is trained."""
    pixels = central(prepared.pixels, division.everything.contents[:BATCH])
    started = time.perf_counter()
    forward(pixels)
    a_view = (time.perf_counter() - started) / len(pixels)
    once = missing * a_view
    share = _trained_share(prepared)
    seen = RECIPE.epochs_for(len(division.learn)) * len(division.learn)
    seen += RECIPE.epochs_for(len(division.everything)) * len(division.everything) if division.refit else 0
    every = seen * a_view * share / max(1 - share, 0.05) * STEP
    prepared.context.emit(
        "notice",
        message=_("This takes about {time}, {once} of it only once for these pictures, and {size} MB on the disk.").format(
            time=_duration(once + every), once=_duration(once), size=missing * row_bytes // 2**20
        ),
    )


def _trained_share(prepared: Prepared) -> float:
    stages = prepared.info.stages
    boundary = RECIPE.boundary(stages, len(stages))
    total = sum(stage.multiply_adds for stage in stages)
    return sum(stage.multiply_adds for stage in stages[boundary:]) / total if total else 0.2


def _duration(seconds: float) -> str:
    if seconds < 90:
        return _("{count} s").format(count=round(seconds))
    return _("{count} min").format(count=round(seconds / 60))

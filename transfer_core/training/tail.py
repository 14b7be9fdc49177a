"""Training the last stages from activations that are kept at the boundary."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from transfer_core.features.boundary import BoundaryStore
from transfer_core.models.transfer_model import TransferModel
from transfer_core.training import checkpoint
from transfer_core.training.context import Context
from transfer_core.training.custom import capture, load_trained, restore, schedule, shuffled, trained_state
from transfer_core.training.recipe import RECIPE
from transfer_core.training.samples import RunSamples

Progress = Callable[[int, int], None]


class Diverged(Exception):
    """The loss is no number any more: what was trained is worthless from some step on."""


class Kept:
    """Activations to learn from: `views` of every picture, in `store`."""

    def __init__(self, store: BoundaryStore, views: int, device: torch.device):
        self.views, self.device = views, device
        self._store = store
        self._rows: Any = store.rows()

    def places(self, contents: Sequence[str]) -> NDArray[np.int64]:
        """Where the views of these pictures lie: `[views, n]`."""
        return np.stack([self._store.places(contents, number) for number in range(self.views)])

    def read(self, places: NDArray[np.int64]) -> Tensor:
        """Activations float `[n, *shape]`."""
        activations = torch.from_numpy(self._rows[places]).to(self.device).float()
        return activations.contiguous(memory_format=torch.channels_last) if activations.ndim == 4 else activations


@dataclass(frozen=True)
class Part:
    """One of the trainings of a run: its epochs come after `before` others, `steps_before` steps in."""

    learn: RunSamples
    val: RunSamples  # told of every epoch; nothing is decided by it while training
    classes: list[str]
    epochs: int
    before: int = 0
    steps_before: int = 0

    @property
    def steps_per_epoch(self) -> int:
        """Optimiser steps."""
        return math.ceil(len(self.learn) / RECIPE.batch_size)


def train_tail(
    context: Context, model: TransferModel, kept: Kept, part: Part, progress: Progress, seen_before: int, total: int
) -> bool:
    """Train what of `model` is not frozen, from one view of every picture an epoch; goes on from a checkpoint of this part.

    False when it was asked to finish before its last epoch; raises Diverged.
    """
    folder = context.folder / "checkpoint"
    boundary = model.source.boundary
    suffix = model.source.suffix(boundary)
    labels = torch.from_numpy(part.learn.labels(part.classes)).to(kept.device)
    val_labels = torch.from_numpy(part.val.labels(part.classes))
    contents = part.learn.contents
    places = kept.places(contents)
    optimiser = build_optimiser(model)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimiser, schedule(part.steps_per_epoch * part.epochs))
    last = checkpoint.load_last(folder)
    done = last.epoch - part.before if last else 0
    if last and done >= part.epochs:
        load_trained(model, last.tensors if done == part.epochs else checkpoint.load_best(folder))
        return True
    if last and done > 0:
        restore(last, model, optimiser, scheduler)

    for epoch in range(max(done, 0) + 1, part.epochs + 1):
        number = part.before + epoch
        # Each epoch draws from a generator of its own, so that one resumed from a checkpoint sees what it would have seen.
        seed = context.settings.seed * 1_000_003 + number
        generator = torch.Generator().manual_seed(seed)
        torch.manual_seed(seed)
        started = time.perf_counter()
        losses, hits = 0.0, 0
        model.train()
        views = torch.randint(0, kept.views, (len(contents),), generator=generator).numpy()
        seen = (epoch - 1) * len(contents)
        for batch in shuffled(len(contents), RECIPE.batch_size, generator):
            context.stop_if_asked()
            target = labels[torch.from_numpy(batch).to(kept.device)]
            logits = model.target(model.adapter(suffix(kept.read(places[views[batch], batch]))))
            loss = functional.cross_entropy(logits, target)
            value = loss.item()
            if not math.isfinite(value):
                raise Diverged
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            scheduler.step()
            losses += value * len(batch)
            hits += int((logits.argmax(1) == target).sum().item())
            seen += len(batch)
            progress(seen_before + seen, total)
        val_logits = torch.from_numpy(answers(context, model, kept, part.val, len(part.classes)))
        scored = len(part.val) > 0
        context.emit(
            "epoch",
            step=part.steps_before + epoch * part.steps_per_epoch,
            epoch=number,
            train_loss=losses / len(contents),
            train_accuracy=hits / len(contents),
            val_loss=float(functional.cross_entropy(val_logits, val_labels)) if scored else None,
            val_accuracy=float((val_logits.argmax(1) == val_labels).float().mean()) if scored else None,
            learning_rate=scheduler.get_last_lr()[0],
            seconds=time.perf_counter() - started,
        )
        state = capture(number, part.steps_before + epoch * part.steps_per_epoch, model, optimiser, scheduler, math.inf)
        # The best one that is kept is the end of the first part, which the second one is held against.
        checkpoint.save(folder, state, best=part.before == 0)
        if context.requested() == "finish":
            return epoch == part.epochs
    return True


@torch.inference_mode()
def answers(context: Context, model: TransferModel, kept: Kept, samples: RunSamples, classes: int) -> NDArray[np.float32]:
    """Logits `[n, classes]` of the pictures as prediction sees them."""
    model.eval()
    suffix = model.source.suffix(model.source.boundary)
    rows = [np.empty((0, classes), np.float32)]
    places = kept.places(samples.contents)[0]
    for start in range(0, len(samples), RECIPE.batch_size):
        context.stop_if_asked()
        activations = kept.read(places[start : start + RECIPE.batch_size])
        rows.append(model.target(model.adapter(suffix(activations))).float().cpu().numpy())
    return np.concatenate(rows)


def build_optimiser(model: TransferModel) -> torch.optim.AdamW:
    """AdamW (Loshchilov and Hutter, 2019) at one rate for head and stages; norms and biases don't decay."""
    groups = [
        {
            "params": [p for p in model.parameters_to_train() if (p.ndim > 1) == decays],
            "weight_decay": RECIPE.weight_decay if decays else 0.0,
        }
        for decays in (True, False)
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=RECIPE.rate, foreach=False)


def snapshot(model: TransferModel) -> dict[str, Tensor]:
    """A copy of what is trained."""
    return {name: parameter.detach().clone() for name, parameter in trained_state(model).items()}


@torch.no_grad()
def blend(model: TransferModel, start: dict[str, Tensor], end: dict[str, Tensor], amount: float) -> None:
    """Put the model `amount` of the way from `start` to `end` (WiSE-FT: Wortsman et al., 2022)."""
    for name, parameter in trained_state(model).items():
        parameter.copy_(torch.lerp(start[name], end[name], amount))

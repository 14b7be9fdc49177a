"""Making a model better by training, and keeping of that only what proves better on pictures held out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from transfer_core.errors import RunError
from transfer_core.i18n import _
from transfer_core.metrics.calibration import cross_entropy, fit_temperature
from transfer_core.models.transfer_model import TransferModel
from transfer_core.training import checkpoint
from transfer_core.training.feeds import Feed
from transfer_core.training.folds import assign_folds
from transfer_core.training.length import length_of
from transfer_core.training.loop import Progress, Task, answers, seconds_of_step, train
from transfer_core.training.prepare import Prepared
from transfer_core.training.recipe import RECIPE, Span
from transfer_core.training.samples import RunSamples
from transfer_core.training.settings import RunSettings
from transfer_core.training.state import put, put_kept, snapshot, to_train

# What ends a training, and not the run: there is a finished model to fall back on.
GIVEN_UP = frozenset({"diverged", "out-of-memory"})
# Of a name, a model, what to learn, what to score, and which of the epochs.
MakeTask = Callable[[str, TransferModel, RunSamples, RunSamples, Span], Task]


@dataclass(frozen=True)
class Division:
    """What is learned from while candidates are compared, what they are compared on, and whether all of it is learned from afterwards."""

    everything: RunSamples
    held: NDArray[np.bool_]
    refit: bool

    @property
    def learn(self) -> RunSamples:
        """The pictures that are not held out."""
        return RunSamples([s for s, held in zip(self.everything.samples, self.held, strict=True) if not held])

    @property
    def val(self) -> RunSamples:
        """The pictures held out."""
        return RunSamples([s for s, held in zip(self.everything.samples, self.held, strict=True) if held])

    @property
    def first(self) -> Span:
        """Which of the epochs the first training has: all of them where no other follows."""
        return "trial" if self.refit else "all"

    @property
    def possible(self) -> bool:
        """Whether there is something to learn from and something to hold it against."""
        return bool(self.held.any() and not self.held.all())


def divide(samples: RunSamples, seed: int) -> Division:
    """The first fold is held out; with a validation set of the user's, or with many pictures, there is no other."""
    learn = samples.of("train", "val")
    folds = assign_folds(learn, seed)
    return Division(learn, folds == 0, not learn.validation_given)


@dataclass(frozen=True)
class Candidate:
    """A model twice: from the pictures that are not held out, which is compared, and from all of them, which is handed over."""

    compared: TransferModel
    whole: TransferModel
    learnt: RunSamples  # by `whole`
    logits: NDArray[np.float32] | None = None  # of `compared` on the pictures held out; None for the quick model
    epochs: int = 0  # told so far
    steps: int = 0


@dataclass(frozen=True)
class Way:
    """A way of training: its phase, its task on a model and pictures, and what is said of its outcome."""

    phase: str
    task: MakeTask
    kept: str
    left: str


def refining_task(
    prepared: Prepared,
    name: str,
    model: TransferModel,
    settings: RunSettings,
    learn: RunSamples,
    val: RunSamples,
    feeds: tuple[Feed, Feed],
) -> Task:
    """Training `model` by a recipe's settings: on `learn`, from the first of the feeds; the second gives what is scored."""
    choices, classes = prepared.choices, prepared.samples.classes
    return Task(
        context=prepared.context,
        settings=settings,
        model=model,
        train=feeds[0],
        labels=learn.labels(classes),
        val=feeds[1],
        val_labels=val.labels(classes),
        classes=len(classes),
        batch=settings.batch_size,
        length=length_of(settings, len(learn), settings.batch_size),
        folder=prepared.context.folder / "checkpoint" / name,
        device=torch.device(choices.device),
        precision=getattr(torch, choices.precision),
        keep_best=False,
    )


def seconds_of_both(division: Division, before: Candidate, task: MakeTask) -> float:
    """How long both trainings of a way will take: by a few steps of the first, of which nothing is kept."""
    first = task("measured", before.compared, division.learn, RunSamples([]), division.first)
    steps = first.length.total
    if division.refit:
        steps += task("measured", before.whole, division.everything, RunSamples([]), "rest").length.total
    try:
        return steps * seconds_of_step(first)
    except RunError as error:
        if error.code not in GIVEN_UP:
            raise
        return 0.0  # the training itself will break off, and what was before it is kept


def refine(prepared: Prepared, division: Division, before: Candidate, way: Way) -> Candidate:
    """Train `before` in this way; give what proves better on the pictures held out, trained on with all of them, or `before` again.

    A training that breaks down, or is asked to finish, leaves what was scored.
    """
    context = prepared.context
    with prepared.clock.phase(context, way.phase) as progress:
        first = way.task(f"{way.phase}-compared", before.compared, division.learn, division.val, division.first)
        first = replace(first, epochs_before=before.epochs, steps_before=before.steps)
        second = None
        if division.refit and before.whole is not before.compared:
            second = way.task(f"{way.phase}-whole", before.whole, division.everything, RunSamples([]), "rest")
            second = replace(
                second,
                epochs_before=first.epochs_before + first.length.epochs,
                steps_before=first.steps_before + first.length.total,
            )
        pictures = [task.length.epochs * len(task.labels) for task in (first, second) if task]
        start = snapshot(first.model)
        try:
            train(first, lambda done, _all: progress(done, sum(pictures)))
        except RunError as error:
            if error.code not in GIVEN_UP:
                raise
            context.emit("notice", message=f"{error.message} {way.left}")
            put(to_train(first.model), start)
            return replace(before, epochs=_epochs(first), steps=_steps(first))
        tried = checkpoint.load_best(first.folder)
        put_kept(first.model, tried)
        amount, logits = _choose(prepared, first, start, way)
        told = Candidate(first.model, first.model, division.learn, logits, _epochs(first), _steps(first))
        if amount == 0:
            return replace(before, epochs=told.epochs, steps=told.steps)
        if second is None or context.requested() == "finish":
            return told
        start = snapshot(second.model)
        put_kept(second.model, tried)
        # A training that was broken off is not the one that was held against the model before.
        if not _to_its_end(prepared, second, lambda done, _all: progress(pictures[0] + done, sum(pictures))):
            return replace(told, epochs=_epochs(second), steps=_steps(second))
        put_kept(second.model, checkpoint.load_best(second.folder))
        blend(second.model, start, snapshot(second.model), amount)
        return Candidate(first.model, second.model, division.everything, logits, _epochs(second), _steps(second))


def _choose(prepared: Prepared, task: Task, start: dict[str, Tensor], way: Way) -> tuple[float, NDArray[np.float32]]:
    """How much of the training to take, by the held-out loss of each blend at its own best temperature, and the logits of that blend.

    All of it unless the model before is better; then half of it, unless that is no better either: with few pictures held out, the
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
    message = way.left
    if chosen:
        message = way.kept.format(count=len(labels), before=f"{losses[0.0]:.3f}", after=f"{losses[chosen]:.3f}")
    prepared.context.emit("notice", message=message)
    return chosen, logits[chosen]


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


def blend(model: TransferModel, start: dict[str, Tensor], end: dict[str, Tensor], amount: float) -> None:
    """Put the model `amount` of the way from `start` to `end` (WiSE-FT: Wortsman et al., 2022)."""
    put(to_train(model), {name: torch.lerp(start[name], end[name], amount) for name in start})


def _epochs(task: Task) -> int:
    return task.epochs_before + task.length.epochs


def _steps(task: Task) -> int:
    return task.steps_before + task.length.total

"""The training loop: one explicit function, from its first step to its last, that tells what it does as events."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from transfer_core.backbones.fold import norms_folded
from transfer_core.errors import RunError
from transfer_core.i18n import _
from transfer_core.models.transfer_model import TransferModel
from transfer_core.training import checkpoint
from transfer_core.training.balance import balanced_order, shuffled
from transfer_core.training.compiling import in_eager
from transfer_core.training.context import Context, Stopped
from transfer_core.training.feeds import Feed
from transfer_core.training.length import Length
from transfer_core.training.mixing import mix
from transfer_core.training.optimisers import set_rates
from transfer_core.training.settings import RunSettings
from transfer_core.training.state import LoopState, NotANumber
from transfer_core.training.world import World

Progress = Callable[[int, int], None]
Rest = ParamSpec("Rest")
Result = TypeVar("Result")

BATCH_TO_SCORE = 32
SLOWER = 0.2  # of the rate, after a loss that was no number
KEEP_EVERY = 60.0  # seconds: what a kill costs at most
KEEP_EPOCHS_EVERY = 10.0  # seconds: short epochs are not all kept
READ_EVERY = 20  # steps between two looks at what a graphics card computed; a processor's is looked at every step


@dataclass(frozen=True)
class Task:
    """One training of a run: what learns, from what, how, and what its outcome is held against."""

    context: Context
    settings: RunSettings
    model: TransferModel  # on its device; what may ever learn is not frozen
    train: Feed
    labels: NDArray[np.int64]
    val: Feed
    val_labels: NDArray[np.int64]
    classes: int
    batch: int
    length: Length
    folder: Path  # of its checkpoints
    device: torch.device
    precision: torch.dtype = torch.float32
    epochs_before: int = 0  # those of trainings before it in the same run, as events count them
    steps_before: int = 0
    keep_best: bool = True  # the epoch with the smallest validation loss is the result, else the last

    @property
    def world(self) -> World:
        """Those who train it."""
        return self.context.world


def _as_it_trains(work: Callable[Concatenate[Task, Rest], Result]) -> Callable[Concatenate[Task, Rest], Result]:
    """Do it with BatchNorms folded away on a processor, where that saves a fifth of a step or more."""

    @wraps(work)
    def folded(task: Task, *given: Rest.args, **named: Rest.kwargs) -> Result:
        with norms_folded(task.model.source) if task.device.type == "cpu" else nullcontext():
            return work(task, *given, **named)

    return folded


@_as_it_trains
def train(task: Task, progress: Progress) -> bool:
    """Train from the last checkpoint, or from the start, to the end; False when it was asked to finish before.

    The result lies in the folder's best checkpoint. Raises Stopped, and RunError (diverged) for a loss that is no number even at
    a smaller rate, (out-of-memory) for a single picture that is too much.
    """
    context, settings, length, state = task.context, task.settings, task.length, LoopState(task)
    if (last := checkpoint.load_last(task.folder)) is not None:
        state.restore(last)
    else:
        _keep(state, best=False)
    kept_at = time.monotonic()

    while (state.step < length.total or state.seen) and not state.out_of_patience:
        epoch, first = state.epoch + 1, state.step - state.epoch * length.per_epoch
        # Order and chance follow from the seed, the epoch and the step alone, so that a resumed training sees what it would have seen.
        order = order_of(task, epoch)
        _unfreeze(task, epoch)
        task.model.train()
        finishing, started = False, time.perf_counter()
        try:
            for place in range(first, min(length.per_epoch, length.total - (epoch - 1) * length.per_epoch)):
                if context.agree() == "finish" and state.step > 0:
                    finishing = True
                    break
                set_rates(state.optimiser, length.factor(settings, state.step) * state.slower)
                size = task.batch * settings.accumulate
                places = order[place * size : (place + 1) * size]
                loss, hits = take_step(task, state, places)
                state.count(loss, hits, len(places))
                if task.device.type == "cpu" or state.step % READ_EVERY == 0:
                    state.settle()
                progress((epoch - 1) * len(task.labels) + state.seen, _pictures(task))
                if time.monotonic() - kept_at > KEEP_EVERY:
                    _keep_between(state)
                    kept_at = time.monotonic()
            if not state.seen:  # asked to finish right at its start, and the epoch before may not have been kept
                _keep(state, best=not task.keep_best)
                break
            state.settle()
            state.check_parameters()
            with state.as_scored():
                val_loss, val_accuracy = _score(task)
        except NotANumber:
            _go_back(task, state)
            continue
        except Stopped:
            _keep_between(state)
            raise

        best = not task.keep_best or val_loss is None or val_loss < state.best_loss
        state.since_best = 0 if best else state.since_best + 1
        state.best_loss = min(state.best_loss, val_loss) if val_loss is not None else state.best_loss
        context.emit(
            "epoch",
            step=task.steps_before + state.step,
            epoch=task.epochs_before + epoch,
            epochs_before=task.epochs_before,
            train_loss=state.losses / state.seen,
            train_accuracy=state.hits / state.seen,
            val_loss=val_loss,
            val_accuracy=val_accuracy,
            learning_rate=settings.learning_rate * length.factor(settings, state.step - 1) * state.slower,
            seconds=time.perf_counter() - started,
        )
        state.begin_epoch()
        ended = finishing or state.step >= length.total or state.out_of_patience
        # Told first, kept second: killed in between, the epoch is told again, and readers drop the first telling. An epoch that is over
        # in less time than it takes to keep it would cost twice as much.
        kept = ended or (best and task.keep_best) or time.monotonic() - kept_at > KEEP_EPOCHS_EVERY
        if kept:
            _keep(state, best)
            kept_at = time.monotonic()
        state.note_good(kept and task.world.first)
        if finishing:
            break
    return state.step >= length.total or state.out_of_patience


def order_of(task: Task, epoch: int) -> NDArray[np.int64]:
    """The places of the pictures in the order in which this epoch, from 1, shows them."""
    generator = torch.Generator().manual_seed(task.settings.seed * 1_000_003 + task.epochs_before + epoch)
    if task.settings.balance == "sampling":
        return balanced_order(task.labels, generator)
    return shuffled(len(task.labels), generator)


def _unfreeze(task: Task, epoch: int) -> None:
    """One stage more every so many epochs, from the last on, until all learn that ever shall (Howard and Ruder, 2018)."""
    every = task.settings.unfreeze_every
    if every:
        count = len(task.model.source.stages)
        task.model.source.freeze(task.settings.freeze)
        target = task.model.source.boundary
        task.model.source.freeze(max(target, count - (epoch - 1) // every))


def take_step(task: Task, state: LoopState, places: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
    """One step of the optimiser; where the memory does not hold a batch, it is computed in pieces from then on."""
    loss, hits = _gradients_in_memory(task, state, places)
    task.world.sum([p.grad for p in state.parameters.values() if p.grad is not None])
    learning = [parameter for parameter in state.parameters.values() if parameter.grad is not None]
    if task.settings.clip or state.start:
        state.scaler.unscale_(state.optimiser)
    _pull(task, state)
    if task.settings.clip:
        torch.nn.utils.clip_grad_norm_(learning, task.settings.clip)
    state.scaler.step(state.optimiser)
    state.scaler.update()
    if state.average is not None:
        state.average.update(state.step + 1)
    return loss, hits


def _gradients_in_memory(task: Task, state: LoopState, places: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
    while True:
        try:
            return gradients(task, state, places)
        except RuntimeError as error:
            if not _out_of_memory(error):
                raise
            _halve(task, state)


def gradients(task: Task, state: LoopState, places: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
    """Have every parameter's gradient be that of the mean loss over these pictures; gives the summed loss and the hits."""
    settings, device = task.settings, task.device
    seed = settings.seed * 1_000_003 + 500_009 * (task.steps_before + state.step + 1) + task.world.rank
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)  # dropout's
    state.optimiser.zero_grad(set_to_none=True)
    losses, hits = torch.zeros((), device=device), torch.zeros((), dtype=torch.int64, device=device)
    mine, counts = task.world.share(places), 1.0
    if not len(mine):
        # Fewer pictures than processes: the same gradients as in the others must be there to be summed, all of them nothing.
        mine, counts = places[:1], 0.0
    for start in range(0, len(mine), task.batch):
        batch = mine[start : start + task.batch]
        given, labels = task.train.drawn(batch, generator), torch.from_numpy(task.labels[batch]).to(device)
        target = labels
        if task.train.mixable and (settings.mixup or settings.cutmix):
            given, target = mix(given, functional.one_hot(labels, task.classes).float(), settings, generator)
        size = math.ceil(len(batch) / state.pieces)
        for first in range(0, len(batch), size):
            piece = slice(first, first + size)
            # A piece of another size would be compiled by itself.
            whole = nullcontext() if len(given[piece]) == task.batch else in_eager(task.model)
            with whole, torch.autocast(device.type, task.precision, enabled=task.precision != torch.float32):
                logits = task.train.logits(task.model, given[piece])
            loss = functional.cross_entropy(
                logits.float(), target[piece], state.class_weights, label_smoothing=settings.label_smoothing, reduction="sum"
            )
            state.scaler.scale(loss * counts / len(places)).backward()
            losses += loss.detach() * counts
            hits += (logits.detach().argmax(1) == labels[piece]).sum() * int(counts)
    task.world.sum([losses, hits])
    return losses, hits


@torch.no_grad()
def _pull(task: Task, state: LoopState) -> None:
    """The gradient of half the squared distance from the start, of the backbone (L2-SP: Li, Grandvalet and Davoine, 2018)."""
    for name, start in state.start.items():
        parameter = state.parameters[name]
        if name.startswith("source.") and parameter.grad is not None:
            parameter.grad.add_(parameter - start, alpha=task.settings.start_pull)


def _halve(task: Task, state: LoopState) -> None:
    # Each of several processes by itself: the result is the same, and their memories need not be.
    if state.pieces >= task.batch:
        raise _no_memory()
    state.pieces *= 2
    state.optimiser.zero_grad(set_to_none=True)
    _empty_cache()
    task.context.emit(
        "notice",
        message=_(
            "The memory did not hold {batch} pictures at once: they are computed {count} at a time, to the same result."
        ).format(batch=task.batch, count=math.ceil(task.batch / state.pieces)),
    )


def _no_memory() -> RunError:
    return RunError(
        _("There is not enough memory to train on a single picture."),
        code="out-of-memory",
        fix=_("Close other programs, freeze more stages, or choose a smaller backbone or image size."),
    )


def _empty_cache() -> None:
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _out_of_memory(error: RuntimeError) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error)


def _go_back(task: Task, state: LoopState) -> None:
    """To the last good state, with a smaller rate; raises RunError the second time."""
    if state.slower < 1:
        raise RunError(
            _("The loss stopped being a number, also at a smaller rate."),
            code="diverged",
            fix=_("Choose a smaller learning rate, or turn clipping on."),
        )
    state.restore(state.good or checkpoint.load_good(task.folder))
    state.slower = SLOWER
    state.begin_epoch()
    task.context.emit(
        "notice",
        message=_("The loss stopped being a number. Training went back to epoch {epoch}, with a rate of {share} %.").format(
            epoch=task.epochs_before + state.epoch, share=round(100 * SLOWER)
        ),
    )


def _keep(state: LoopState, best: bool, good: bool = True) -> None:
    if state.task.world.first:
        checkpoint.save(state.task.folder, state.capture(), best, good)


def _keep_between(state: LoopState) -> None:
    """Keep the state within an epoch, unless a graphics card turns out to have computed no numbers since it was last looked at."""
    try:
        state.settle()
    except NotANumber:
        return
    if state.seen and state.good is not None and state.task.world.first:
        # What a loss that breaks later is gone back from, here as in a process that goes on from this one.
        checkpoint.save(state.task.folder, state.good, best=False)
        state.note_good(kept=True)
    _keep(state, best=False, good=not state.seen)


@_as_it_trains
def seconds_of_step(task: Task, passes: int = 3) -> float:
    """How long a step takes here: the median of a few, after one to warm up, by the first process's clock. Nothing is learnt in them."""
    state = LoopState(task)
    places = order_of(task, 1)[: task.batch * task.settings.accumulate]
    task.model.train()
    times = []
    for _pass in range(passes + 1):
        task.context.agree()
        started = time.perf_counter()
        loss, _hits = _gradients_in_memory(task, state, places)
        float(loss)  # a graphics card is waited for
        times.append(time.perf_counter() - started)
    state.optimiser.zero_grad(set_to_none=True)
    return task.world.tell(float(np.median(times[1:])))


def _pictures(task: Task) -> int:
    """How many pictures are looked at in all, one as often as it is."""
    whole, rest = divmod(task.length.total, task.length.per_epoch)
    return whole * len(task.labels) + min(len(task.labels), rest * task.batch * task.settings.accumulate)


def _score(task: Task) -> tuple[float | None, float | None]:
    """Loss and accuracy on the validation pictures, or None without any; raises NotANumber."""
    if not len(task.val_labels):
        return None, None
    logits = answers(task.context, task.model, task.val)
    labels = torch.from_numpy(task.val_labels)
    loss = float(functional.cross_entropy(logits, labels))
    if not math.isfinite(loss):
        raise NotANumber
    return loss, float((logits.argmax(1) == labels).float().mean())


@torch.inference_mode()
def answers(context: Context, model: TransferModel, feed: Feed) -> Tensor:
    """Logits `[n, classes]`, on the CPU, of the pictures as prediction sees them; each process computes its share, and has all."""
    model.eval()
    world, pieces = context.world, 1
    logits: Tensor | None = None

    def scored(places: NDArray[np.int64]) -> Tensor:
        """Their logits; where the memory does not hold so many, in pieces from then on."""
        nonlocal pieces
        while True:
            size = math.ceil(len(places) / pieces)
            try:
                return torch.cat(
                    [
                        feed.logits(model, feed.plain(places[start : start + size])).float()
                        for start in range(0, len(places), size)
                    ]
                )
            except RuntimeError as error:
                if not _out_of_memory(error):
                    raise
                if size == 1:
                    raise _no_memory() from error
            pieces *= 2
            _empty_cache()

    size = BATCH_TO_SCORE * world.size
    for start in range(0, len(feed), size):
        context.agree()
        places = np.arange(start, min(start + size, len(feed)))
        mine = world.share(places)
        with in_eager(model):
            said = scored(mine if len(mine) else places[:1])
        logits = said.new_zeros((len(feed), said.shape[1])) if logits is None else logits
        logits[torch.from_numpy(mine)] = said[: len(mine)]
    assert logits is not None
    world.sum([logits])
    return logits.cpu()

"""Which learning rate suits: a short training in which the rate rises, of a model that is thrown away."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from transfer_core.data.project import Project
from transfer_core.training.context import Context, Emit, Request
from transfer_core.training.custom import custom_task
from transfer_core.training.loop import Progress, Task, order_of, take_step
from transfer_core.training.optimisers import set_rates
from transfer_core.training.prepare import prepare
from transfer_core.training.progress import Clock
from transfer_core.training.rate_curve import RateCurve, Smoothed, check_steps, curve_of, is_over, rate_at, steps_of
from transfer_core.training.settings import RunSettings
from transfer_core.training.state import LoopState


def find_rate(project: Project, settings: RunSettings, emit: Emit, requested: Callable[[], Request | None]) -> RateCurve:
    """The loss of a training by `settings` against the rising rate; how it goes is told as a run's events. Nothing of it is kept.

    Raises SettingsError (no-steps) where nothing learns by steps, what `prepare` and training raise, and Stopped.
    """
    check_steps(settings)
    with TemporaryDirectory(prefix="transfer-studio-rate-") as folder:
        context, clock = Context(Path(folder), project, settings, emit, requested), Clock()
        prepared = prepare(context, clock)
        torch.manual_seed(settings.seed)
        task = custom_task(prepared, prepared.samples.of("train"), prepared.samples.of("val"))
        with clock.phase(context, "train") as progress:
            return swept(task, progress)


def swept(task: Task, progress: Progress) -> RateCurve:
    """Train while the head's rate rises, every stage's in its share, until the loss goes off. The task's model is spoilt by that."""
    steps = steps_of(task.length.per_epoch)
    state, smoothed = LoopState(task), Smoothed(steps)
    rates: list[float] = []
    losses: list[float] = []
    size = task.batch * task.settings.accumulate
    task.model.train()
    for step in range(steps):
        task.context.stop_if_asked()
        epoch, place = divmod(step, task.length.per_epoch)
        places = order_of(task, epoch + 1)[place * size : (place + 1) * size]
        set_rates(state.optimiser, rate_at(step, steps) / task.settings.learning_rate)
        loss, _hits = take_step(task, state, places)
        mean = float(loss) / len(places)
        rates.append(rate_at(step, steps))
        losses.append(smoothed.add(mean) if math.isfinite(mean) else math.inf)
        state.step += 1
        progress((step + 1) * size, steps * size)
        if is_over(losses):
            break
    return curve_of(rates, losses, steps)

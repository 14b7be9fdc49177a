"""Optimisers by name, and which parameters learn at which rate."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from transfer_core.models.transfer_model import TransferModel
from transfer_core.training.settings import RunSettings

MOMENTUM = 0.9
RATE = "full_rate"  # of a group, before the schedule's factor


def build_optimiser(model: TransferModel, settings: RunSettings) -> Optimizer:
    """The settings' optimiser over all that learns: the head at the full rate, each stage at its share; norms and biases don't decay."""
    groups = []
    for parameters, rate in _by_rate(model, settings):
        for decays in (True, False):
            chosen = [parameter for parameter in parameters if (parameter.ndim > 1) == decays]
            if chosen:
                decay = settings.weight_decay if decays else 0.0
                groups.append({"params": chosen, "lr": rate, "weight_decay": decay, RATE: rate})
    return OPTIMISERS[settings.optimiser](groups)


def set_rates(optimiser: Optimizer, factor: float) -> float:
    """Have every group take `factor` of its full rate; gives the head's rate."""
    for group in optimiser.param_groups:
        group["lr"] = group[RATE] * factor
    return float(optimiser.param_groups[0]["lr"])


def _by_rate(model: TransferModel, settings: RunSettings) -> Iterator[tuple[list[nn.Parameter], float]]:
    """Head first; then the stages from the last on, each at `layer_decay` of the rate of the one after it."""
    yield (
        [p for name, p in model.named_parameters() if not name.startswith("source.") and p.requires_grad],
        settings.learning_rate,
    )
    rate = settings.learning_rate * settings.backbone_rate
    last = len(model.source.stages) - 1
    places = {stage.name: place for place, stage in enumerate(model.source.stages)}
    staged: set[int] = set()
    for stage, parameters in reversed(model.source.parameter_groups()):
        staged |= {id(parameter) for parameter in parameters}
        yield parameters, rate * settings.layer_decay ** (last - places[stage.name])
    # What belongs to no stage, in networks of others: as the last stage.
    yield [p for p in model.source.parameters() if p.requires_grad and id(p) not in staged], rate


# One loop over the parameters and not all of them at once: no second copy of them, and the same bits everywhere.
OPTIMISERS: dict[str, Callable[[Any], Optimizer]] = {
    "adamw": lambda groups: torch.optim.AdamW(groups, foreach=False),
    "sgd": lambda groups: torch.optim.SGD(groups, lr=1.0, momentum=MOMENTUM, nesterov=True, foreach=False),
    "adam": lambda groups: torch.optim.Adam(groups, foreach=False),
    "nadam": lambda groups: torch.optim.NAdam(groups, foreach=False, decoupled_weight_decay=True),
    "radam": lambda groups: torch.optim.RAdam(groups, foreach=False, decoupled_weight_decay=True),
    "rmsprop": lambda groups: torch.optim.RMSprop(groups, momentum=MOMENTUM, foreach=False),
    "adagrad": lambda groups: torch.optim.Adagrad(groups, foreach=False),
    "adamax": lambda groups: torch.optim.Adamax(groups, foreach=False),
    "adadelta": lambda groups: torch.optim.Adadelta(groups, foreach=False),
}

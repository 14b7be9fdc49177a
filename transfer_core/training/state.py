"""All that a training has become so far, kept and put back as one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from transfer_core.models.transfer_model import TransferModel
from transfer_core.training.average import MovingAverage
from transfer_core.training.balance import class_weights
from transfer_core.training.checkpoint import Checkpoint
from transfer_core.training.optimisers import build_optimiser

if TYPE_CHECKING:
    from transfer_core.training.loop import Task


class NotANumber(Exception):
    """The loss, or a parameter, is no number any more."""


class LoopState:
    """Parameters that learn, optimiser, average, and what was counted in this epoch; made from a task as it begins."""

    def __init__(self, task: Task):
        self.task = task
        self.parameters = to_train(task.model)
        self.start = {name: p.detach().clone() for name, p in self.parameters.items()} if task.settings.start_pull else {}
        self.optimiser = build_optimiser(task.model, task.settings)
        self.average = MovingAverage(self.parameters, task.settings.average) if task.settings.average else None
        balanced = task.settings.balance == "weights"
        self.class_weights = class_weights(task.labels, task.classes).to(task.device) if balanced else None
        self.scaler = torch.amp.GradScaler(task.device.type, enabled=task.precision == torch.float16)
        self.step = 0
        self.losses, self.hits, self.seen = 0.0, 0, 0
        self.best_loss, self.since_best = math.inf, 0
        self.slower = 1.0  # what the rate was multiplied by, since a loss was no number
        self.pieces = 1  # a batch is computed in so many, since the memory did not hold it
        self.good: Checkpoint | None = None  # the end of the last finished epoch, while that is not on the disk
        self._pending: list[tuple[Tensor, Tensor]] = []

    @property
    def epoch(self) -> int:
        """How many epochs are finished: one is when it was scored too."""
        return (self.step - bool(self.seen)) // self.task.length.per_epoch

    @property
    def out_of_patience(self) -> bool:
        """Whether the validation loss has reached no new low for as many epochs as the settings wait."""
        patience = self.task.settings.patience
        return bool(patience) and self.since_best >= patience

    def count(self, loss: Tensor, hits: Tensor, pictures: int) -> None:
        """Take in a step: its summed loss and its hits are read later, because a graphics card would have to be waited for."""
        self._pending.append((loss, hits))
        self.seen += pictures
        self.step += 1

    def settle(self) -> None:
        """Read what was counted; raises NotANumber."""
        for loss, hits in self._pending:
            self.losses += float(loss)
            self.hits += int(hits)
        self._pending.clear()
        if not math.isfinite(self.losses):
            raise NotANumber

    def check_parameters(self) -> None:
        """Raise NotANumber where a parameter is none: a step may break what its loss did not show."""
        if not all(bool(torch.isfinite(parameter).all()) for parameter in self.parameters.values()):
            raise NotANumber

    def begin_epoch(self) -> None:
        """Nothing was counted in the next epoch yet."""
        self.losses, self.hits, self.seen = 0.0, 0, 0

    def note_good(self, kept: bool) -> None:
        """Remember an epoch that just ended as what is gone back to; one that was `kept` lies on the disk."""
        if kept:
            self.good = None
            return
        now = self.capture()
        self.good = replace(now, tensors={name: tensor.clone() for name, tensor in now.tensors.items()})

    @contextmanager
    def as_scored(self) -> Iterator[None]:
        """The model with the parameters that are scored and kept: the average where there is one."""
        if self.average is None:
            yield
            return
        with self.average.in_place():
            yield

    def capture(self) -> Checkpoint:
        """What a checkpoint holds."""
        tensors: dict[str, Tensor] = {f"model.{name}": tensor for name, tensor in self.parameters.items()}
        for number, moments in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{number}.{name}": torch.as_tensor(value) for name, value in moments.items()}
        if self.average is not None:
            tensors |= {f"average.{name}": tensor for name, tensor in self.average.tensors.items()}
        values = {
            "step": self.step,
            "counted": [self.losses, self.hits, self.seen],
            "best_loss": self.best_loss if math.isfinite(self.best_loss) else None,
            "since_best": self.since_best,
            "slower": self.slower,
            "pieces": self.pieces,
            "parts": len(self.task.length.parts),
            "scaler": self.scaler.state_dict(),
        }
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        return Checkpoint(self.task.epochs_before + self.epoch, self.task.steps_before + self.step, tensors, values)

    def restore(self, kept: Checkpoint) -> None:
        """Go on from a checkpoint."""
        values = kept.values
        put(self.parameters, kept.tensors, "model.")
        moments: dict[int, dict[str, Tensor]] = {}
        for name, tensor in kept.tensors.items():
            if name.startswith("optimiser."):
                _prefix, number, field = name.split(".", 2)
                moments.setdefault(int(number), {})[field] = tensor
        self.optimiser.load_state_dict(self.optimiser.state_dict() | {"state": moments})
        if self.average is not None:
            for name, tensor in self.average.tensors.items():
                tensor.copy_(kept.tensors[f"average.{name}"])
        if values.get("scaler"):
            self.scaler.load_state_dict(values["scaler"])
        self.step = values["step"]
        self.losses, self.hits, self.seen = values.get("counted", [0.0, 0, 0])
        self.best_loss = math.inf if values["best_loss"] is None else values["best_loss"]
        # What was added since is to be trained, also where the part before it ended because patience did.
        same = values.get("parts", 1) == len(self.task.length.parts)
        self.since_best = values.get("since_best", 0) if same else 0
        self.slower, self.pieces = values.get("slower", 1.0), values.get("pieces", 1)
        self._pending.clear()


def to_train(model: TransferModel) -> dict[str, nn.Parameter]:
    """Parameters that learn; the frozen ones are those of the kept weights, and every statistic of BatchNorm too."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def snapshot(model: TransferModel) -> dict[str, Tensor]:
    """A copy of what learns."""
    return {name: parameter.detach().clone() for name, parameter in to_train(model).items()}


@torch.no_grad()
def put(parameters: dict[str, nn.Parameter], tensors: dict[str, Tensor], prefix: str = "") -> None:
    """Set the parameters to the tensors of their names; raises KeyError for one that is missing."""
    for name, parameter in parameters.items():
        parameter.copy_(tensors[prefix + name])


def put_kept(model: TransferModel, tensors: dict[str, Tensor]) -> None:
    """Give the model what a checkpoint hands over: the average where there is one."""
    averaged = any(name.startswith("average.") for name in tensors)
    put(to_train(model), tensors, "average." if averaged else "model.")

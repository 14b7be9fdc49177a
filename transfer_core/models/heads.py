"""Heads: what maps features to classes. Each says what it costs, and what the exported graph has to compute."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from transfer_core.errors import ModelError
from transfer_core.features.logistic import fit_logistic
from transfer_core.i18n import _
from transfer_core.models.layers import Centre, Layer, Linear, Normalise, Rectify


class Head(nn.Module, ABC):
    """Features `[N, width]` to logits `[N, classes]`."""

    kind: ClassVar[str]

    def __init__(self, width: int, classes: int):
        super().__init__()
        self.width, self.classes = width, classes

    @abstractmethod
    def forward(self, features: Tensor) -> Tensor:
        """Features `[N, width]` to logits `[N, classes]`."""

    @abstractmethod
    def layers(self) -> list[Layer]:
        """The same in eval mode, for NumPy and for the graph; the last layer is linear."""

    def settings(self) -> dict[str, Any]:
        """What `make_head` needs to build it again, beside its kind, width and classes."""
        return {}

    def fit(self, features: Tensor, labels: Tensor) -> Self:
        """Set the parameters from features `[N, width]` float32 and labels `[N]` int64, where the head has a way to; else leave them."""
        return self

    @property
    def parameter_count(self) -> int:
        """How many numbers it learns."""
        return sum(parameter.numel() for parameter in self.parameters())

    @property
    def multiply_adds(self) -> int:
        """What it costs for one picture."""
        return sum(layer.weight.size for layer in self.layers() if isinstance(layer, Linear))


class LinearHead(Head):
    """One linear layer that starts at zero, so that at first every class is as likely. width x classes + classes parameters."""

    kind = "linear"

    def __init__(self, width: int, classes: int):
        super().__init__(width, classes)
        self.weight = nn.Parameter(torch.zeros(classes, width))
        self.bias = nn.Parameter(torch.zeros(classes))

    def forward(self, features: Tensor) -> Tensor:
        """Features `[N, width]` to logits `[N, classes]`."""
        return functional.linear(features, self.weight, self.bias)

    def layers(self) -> list[Layer]:
        """One linear layer."""
        return [_linear(self.weight, self.bias)]


class LogisticHead(LinearHead):
    """The linear layer that a solver finds: regularised logistic regression, its strength chosen by cross-validation.

    As many parameters as the linear head; fitting takes seconds for thousands of pictures and needs no learning rate.
    """

    kind = "logistic"

    def fit(self, features: Tensor, labels: Tensor) -> Self:
        """Solve for the parameters on all of the samples, with five folds to choose the strength."""
        folds = torch.arange(len(labels)) % 5
        folds[torch.argsort(labels, stable=True)] = folds.clone()  # every class in every fold, where it has as many pictures
        found = fit_logistic(features, labels, self.classes, folds)
        with torch.no_grad():
            self.weight.copy_(found.weight)
            self.bias.copy_(found.bias)
        return self


class MLPHead(Head):
    """Hidden layers with ReLU and dropout, then a linear one: for classes that no straight line parts. Wants many pictures."""

    kind = "mlp"

    def __init__(self, width: int, classes: int, widths: Sequence[int] = (256,), dropout: float = 0.2):
        super().__init__(width, classes)
        if not widths or min(widths) < 1 or not 0 <= dropout < 1:
            raise ValueError(f"widths must be positive and dropout in 0..1, got {tuple(widths)} and {dropout}")
        self.widths, self.dropout = tuple(widths), dropout
        self.hidden = nn.ModuleList(nn.Linear(one, two) for one, two in zip((width, *widths), widths, strict=False))
        self.output = nn.Linear(self.widths[-1], classes)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(self, features: Tensor) -> Tensor:
        """Features `[N, width]` to logits `[N, classes]`."""
        for layer in self.hidden:
            features = functional.dropout(layer(features).relu(), self.dropout, self.training)
        logits: Tensor = self.output(features)
        return logits

    def layers(self) -> list[Layer]:
        """Linear and ReLU by turns; dropout does nothing outside training."""
        layers: list[Layer] = []
        for layer in self.hidden:
            assert isinstance(layer, nn.Linear)
            layers += [_linear(layer.weight, layer.bias), Rectify()]
        return [*layers, _linear(self.output.weight, self.output.bias)]

    def settings(self) -> dict[str, Any]:
        """Widths of the hidden layers, and dropout."""
        return {"widths": list(self.widths), "dropout": self.dropout}


class CosineHead(Head):
    """Classes by the angle alone between features and a learned direction each, times a learned scale.

    Chen et al., A closer look at few-shot classification (2019). width x classes + 1 parameters.
    """

    kind = "cosine"

    def __init__(self, width: int, classes: int):
        super().__init__(width, classes)
        self.weight = nn.Parameter(functional.normalize(torch.randn(classes, width), dim=1))
        self.scale = nn.Parameter(torch.tensor(10.0))

    def forward(self, features: Tensor) -> Tensor:
        """Features `[N, width]` to logits `[N, classes]`."""
        return self.scale * functional.linear(functional.normalize(features, dim=1), functional.normalize(self.weight, dim=1))

    def layers(self) -> list[Layer]:
        """Unit length, then a linear layer without bias."""
        with torch.no_grad():
            weight = self.scale * functional.normalize(self.weight, dim=1)
        return [Normalise(), _linear(weight, torch.zeros(self.classes))]

    def fit(self, features: Tensor, labels: Tensor) -> Self:
        """Begin with each class's mean direction."""
        with torch.no_grad():
            self.weight.copy_(functional.normalize(_means(functional.normalize(features, dim=1), labels, self.classes), dim=1))
        return self


class PrototypeHead(Head):
    """The class whose mean is nearest, of features that are centred and brought to unit length. Nothing to train: good for few pictures.

    Wang et al., SimpleShot (2019); Snell et al., Prototypical networks for few-shot learning (2017). width x classes numbers.
    """

    kind = "prototype"
    SCALE = 10.0  # of squared distances as logits; the temperature corrects it

    prototypes: Tensor
    mean: Tensor

    def __init__(self, width: int, classes: int):
        super().__init__(width, classes)
        self.prototypes = nn.Parameter(torch.zeros(classes, width))
        self.register_buffer("mean", torch.zeros(width))

    def forward(self, features: Tensor) -> Tensor:
        """Features `[N, width]` to logits `[N, classes]`: minus the squared distances, scaled."""
        unit = functional.normalize(features - self.mean, dim=1)
        return functional.linear(unit, 2 * self.SCALE * self.prototypes, -self.SCALE * self.prototypes.square().sum(1))

    def layers(self) -> list[Layer]:
        """Centred, unit length, then a linear layer: a picture's own length is the same for every class."""
        prototypes = self.prototypes.detach()
        bias = -self.SCALE * prototypes.square().sum(1)
        return [Centre(self.mean.cpu().numpy().copy()), Normalise(), _linear(2 * self.SCALE * prototypes, bias)]

    def fit(self, features: Tensor, labels: Tensor) -> Self:
        """Take the means of the classes."""
        with torch.no_grad():
            self.mean.copy_(features.mean(0))
            self.prototypes.copy_(_means(functional.normalize(features - self.mean, dim=1), labels, self.classes))
        return self


HEADS: dict[str, type[Head]] = {kind.kind: kind for kind in (LinearHead, LogisticHead, MLPHead, CosineHead, PrototypeHead)}


def make_head(kind: str, width: int, classes: int, **settings: Any) -> Head:
    """A head of this kind; raises ModelError for one that there is not, or for settings that are not its own."""
    if kind not in HEADS:
        raise ModelError(
            _("There is no head of the kind {kind}.").format(kind=kind),
            code="unknown-head",
            fix=_("Known kinds: {names}.").format(names=", ".join(HEADS)),
        )
    try:
        return HEADS[kind](width, classes, **settings)
    except (TypeError, ValueError) as error:
        raise ModelError(
            _("A head of the kind {kind} can't be made: {reason}.").format(kind=kind, reason=error), code="bad-head"
        ) from error


def _linear(weight: Tensor, bias: Tensor) -> Linear:
    # Copies: what is trained on afterwards must not change what was handed over.
    return Linear(weight.detach().cpu().numpy().copy(), bias.detach().cpu().numpy().copy())


def _means(rows: Tensor, labels: Tensor, classes: int) -> Tensor:
    """The mean of each class's rows, `[classes, width]`; zeros for a class without any."""
    sums = torch.zeros(classes, rows.shape[1]).index_add_(0, labels, rows)
    return sums / torch.bincount(labels, minlength=classes).clamp_min(1)[:, None]

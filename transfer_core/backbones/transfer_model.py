"""The composition that the package is about: a source backbone, an adapter, and a target head or network."""

from __future__ import annotations

from typing import Self

from torch import Tensor, nn

from transfer_core.backbones.network import Backbone, Frozen, load_backbone
from transfer_core.backbones.weights import KeptWeights, obtain


class TransferModel(nn.Module):
    """What was learned on the source, put to work on the target.

    `source` is a backbone, kept weights, or a backbone's name (weights that are here, else torchvision's are fetched).
    `target` is a number of classes, for a linear head, or a module of your own: features in, answers out.
    `adapter` maps the source's features `[N, D]` to what the target takes; by default it leaves them as they are.

    Pictures go through source, adapter and target in this order:

    >>> import torch
    >>> from transfer_core.backbones.catalogue import backbone_info
    >>> from transfer_core.backbones.network import build_backbone
    >>> model = TransferModel(build_backbone(backbone_info("mobilenet_v3_small")), target=5)
    >>> pixels = torch.rand(2, 3, 224, 224)  # RGB in 0..1
    >>> model(model.source.normalise(pixels)).shape
    torch.Size([2, 5])

    Only the head learns, then the last stage as well:

    >>> [parameter.numel() for parameter in model.freeze("all").parameters_to_train()]
    [5120, 5]
    >>> len(model.freeze("last-stage").parameters_to_train()) > 2
    True
    """

    def __init__(self, source: Backbone | KeptWeights | str, target: nn.Module | int, adapter: nn.Module | None = None):
        super().__init__()
        self.source = _backbone(source)
        self.adapter = adapter if adapter is not None else nn.Identity()
        self.target = nn.Linear(self.source.feature_count, target) if isinstance(target, int) else target

    def forward(self, pictures: Tensor) -> Tensor:
        """Normalised float pictures `[N, 3, H, W]` to what the target gives; for a linear head logits `[N, classes]`."""
        answers: Tensor = self.target(self.features(pictures))
        return answers

    def features(self, pictures: Tensor) -> Tensor:
        """What the target is given: the source's pooled features, adapted."""
        adapted: Tensor = self.adapter(self.source(pictures))
        return adapted

    def freeze(self, frozen: Frozen) -> Self:
        """Freeze all of the source, all but its last stage, or nothing; adapter and target always learn."""
        self.source.freeze(frozen)
        return self

    def parameters_to_train(self) -> list[nn.Parameter]:
        """The parameters that learn, for an optimiser."""
        return [parameter for parameter in self.parameters() if parameter.requires_grad]


def _backbone(source: Backbone | KeptWeights | str) -> Backbone:
    if isinstance(source, Backbone):
        return source
    return load_backbone(source if isinstance(source, KeptWeights) else obtain(source))

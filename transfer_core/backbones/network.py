"""A backbone as a torch module: torchvision's network without its classifier."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, Self, get_args

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torchvision import models

from transfer_core.backbones.catalogue import STARTER, BackboneInfo, backbone_info
from transfer_core.backbones.stages import Stage, stages_of
from transfer_core.backbones.weights import KeptWeights, read_kept
from transfer_core.errors import BackboneError, WeightsError
from transfer_core.i18n import _

Frozen = Literal["all", "last-stage", "none"]

# Position embeddings and window grids of these are made for one size; all others pool over what is left of the picture.
ONE_SIZE = frozenset({"vision_transformer", "maxvit"})
# torchvision names the size it tested; windows are padded, so Swin works from 64 on.
SMALLEST_WINDOWED = 64


class Backbone(nn.Module):
    """A pretrained network without its classifier, told in stages.

    `forward` takes normalised float pictures `[N, 3, H, W]` and gives pooled features `[N, D]`, the input of torchvision's head.

    Frozen stages stay in eval mode whatever `train()` says, and so does every BatchNorm: small batches of few samples give poor
    statistics, and what the first steps average into the running ones can't be taken back (F. Chollet, "Transfer learning and
    fine-tuning", the Keras guide, keeps BatchNorm in inference mode for the same reason). `batch_statistics = True`
    lets BatchNorm of trained stages use and update statistics of the batches.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, info: BackboneInfo, network: nn.Module):
        super().__init__()
        self.info = info
        self.network = network
        self.feature_count = info.feature_count
        self.stages: tuple[Stage, ...] = stages_of(info, network)
        self.trained_stages = len(self.stages)
        self.batch_statistics = False
        mean, std = (torch.tensor(values, device="cpu").view(1, 3, 1, 1) for values in (info.mean, info.std))
        # One multiplication and one addition, in training and in the graph alike.
        self.register_buffer("scale", 1 / std, persistent=False)
        self.register_buffer("shift", -mean / std, persistent=False)
        self.eval()

    def forward(self, pictures: Tensor) -> Tensor:
        """Normalised float `[N, 3, H, W]` to pooled features `[N, D]`."""
        features: Tensor = self.network(pictures)
        return features

    def normalise(self, pixels: Tensor) -> Tensor:
        """Pixels in 0..1, float `[N, 3, H, W]`, as the weights want them."""
        return pixels * self.scale + self.shift

    def freeze(self, frozen: Frozen) -> Self:
        """Freeze everything, everything but the last stage, or nothing."""
        if frozen not in get_args(Frozen):
            raise ValueError(f"frozen must be one of {', '.join(get_args(Frozen))}, got {frozen!r}")
        return self.train_stages({"all": 0, "last-stage": 1, "none": len(self.stages)}[frozen])

    def train_stages(self, count: int) -> Self:
        """Train the last `count` stages, 0 to `len(stages)`, and freeze those before them."""
        if not 0 <= count <= len(self.stages):
            raise ValueError(f"count must be in 0..{len(self.stages)}, got {count}")
        self.trained_stages = count
        trained = self._trained()
        for name, parameter in self.network.named_parameters():
            parameter.requires_grad_(any(stage.holds(name) for stage in trained))
        return self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """Training or eval mode for what is trained; frozen stages, and BatchNorm, stay in eval mode."""
        super().train(False)
        self.training = mode
        if not mode or not self.trained_stages:
            return self
        frozen = self.stages[: len(self.stages) - self.trained_stages]
        for name, module in self.network.named_modules():
            # What belongs to no stage, such as the dropout before the head, goes with the last one.
            if not any(stage.holds(name) for stage in frozen):
                module.training = self.batch_statistics or not isinstance(module, _BatchNorm)
        return self

    def stage_parameters(self, stage: Stage) -> Iterator[tuple[str, nn.Parameter]]:
        """Names, as torchvision has them, and parameters of one stage."""
        return ((name, parameter) for name, parameter in self.network.named_parameters() if stage.holds(name))

    def load(self, state: Mapping[str, Tensor]) -> Self:
        """Take over parameters and buffers under torchvision's names; all must be there, and nothing else.

        Raises WeightsError where they don't fit. Float types are converted to the network's.
        """
        own = self.network.state_dict()
        # Only an outline takes the tensors themselves; elsewhere two networks would share what one of them trains.
        assign = any(tensor.is_meta for tensor in own.values())
        converted = {name: tensor.to(own[name].dtype) if name in own else tensor for name, tensor in state.items()}
        try:
            self.network.load_state_dict(converted, strict=True, assign=assign)
        except RuntimeError as error:
            raise WeightsError(
                _("These weights are not those of a {backbone}.").format(backbone=self.info.name),
                code="weights-mismatch",
                fix=_("Fetch or add the weights of {backbone} again.").format(backbone=self.info.name),
            ) from error
        return self

    def _trained(self) -> tuple[Stage, ...]:
        return self.stages[len(self.stages) - self.trained_stages :]


class FromPixels(nn.Module):
    """A backbone that takes pixels as they are kept: uint8 `[N, S, S, 3]` to float32 `[N, D]`; what a graph is made from."""

    scale: Tensor

    def __init__(self, backbone: Backbone):
        super().__init__()
        self.backbone = backbone
        # The division by 255 goes into the normalisation's multiplication.
        self.register_buffer("scale", backbone.scale / 255, persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        pictures = pixels.permute(0, 3, 1, 2).float()
        features: Tensor = self.backbone(pictures * self.scale + self.backbone.shift)
        return features


class _Pooled(nn.Module):
    """A network's convolutions under their torchvision name, then the mean over height and width.

    For networks whose own class gets in the way: SqueezeNet classifies before it pools, the starter has nothing after its
    convolutions, and MNASNet refuses a state dict without a version number, which safetensors has no place for.
    """

    def __init__(self, name: str, convolutions: nn.Module):
        super().__init__()
        self.name = name
        self.add_module(name, convolutions)

    def forward(self, pictures: Tensor) -> Tensor:
        return self.get_submodule(self.name)(pictures).mean((2, 3))


def whole_network(name: str, family: str, size: int) -> nn.Module:
    """Torchvision's network with random parameters and its classifier, as it builds it for its pretrained weights."""
    options: dict[str, Any] = {"weights": None}
    if family in ("googlenet", "inception"):
        # The auxiliary heads are for training from nothing; the pretrained weights want channels rescaled inside.
        options |= {"aux_logits": False, "transform_input": True, "init_weights": False}
    if family == "vision_transformer":
        options |= {"image_size": size}
    network: nn.Module = models.get_model_builder(name)(**options)
    return network


def find_head(network: nn.Module) -> str:
    """The name of the classifier: the last linear layer, or 1000-way convolution (SqueezeNet)."""
    names = [
        name
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear) or (isinstance(module, nn.Conv2d) and module.out_channels == 1000)
    ]
    return names[-1]


def _headless(info: BackboneInfo) -> nn.Module:
    if info.architecture == STARTER:
        return _Pooled("features", models.mobilenet_v3_small(weights=None).features)
    network = whole_network(info.architecture, info.family, info.minimum_size)
    if info.family == "squeezenet":
        return _Pooled("features", network.get_submodule("features"))
    if info.family == "mnasnet":
        return _Pooled("layers", network.get_submodule("layers"))
    network.set_submodule(info.head, nn.Identity())
    return network


def build_backbone(info: BackboneInfo) -> Backbone:
    """The architecture with random parameters, from torch's global generator."""
    return Backbone(info, _headless(info))


def outline(info: BackboneInfo) -> Backbone:
    """The architecture alone: on the meta device where that can be, so that nothing is allocated or drawn at random."""
    with without_memory(info.family):
        return Backbone(info, _headless(info))


def without_memory(family: str) -> torch.device:
    """A context in which networks of `family` are built without allocating, where that can be."""
    # RegNet computes its widths with tensors, and reads them back while it is built.
    return torch.device("cpu" if family == "regnet" else "meta")


def load_backbone(kept: KeptWeights) -> Backbone:
    """The backbone with its weights, in eval mode on the CPU; raises WeightsError if the kept file was altered."""
    return outline(backbone_info(kept.backbone)).load(read_kept(kept))


def check_size(info: BackboneInfo, size: int) -> None:
    """Raise BackboneError unless pictures of `size` pixels a side can be looked at."""
    if info.family in ONE_SIZE and size != info.crop:
        raise BackboneError(
            _("{backbone} takes pictures of exactly {size} pixels.").format(backbone=info.name, size=info.crop),
            code="size-not-possible",
            fix=_("Leave the size at {size}, or choose another backbone.").format(size=info.crop),
        )
    smallest = SMALLEST_WINDOWED if info.family == "swin_transformer" else info.minimum_size
    if size < max(smallest, 32):
        raise BackboneError(
            _("{backbone} can't look at pictures of only {size} pixels.").format(backbone=info.name, size=size),
            code="size-not-possible",
            fix=_("Choose a size of at least {size}.").format(size=max(smallest, 32)),
        )

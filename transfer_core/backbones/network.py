"""A backbone as a torch module: a pretrained network without its classifier, told in stages."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Literal, Self

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torchvision import models

from transfer_core.backbones.catalogue import STARTER, BackboneInfo, backbone_info
from transfer_core.backbones.stages import FAMILIES, Stage, stages_from, stages_of, takes_one_size
from transfer_core.backbones.weights import KeptWeights, read_kept
from transfer_core.errors import BackboneError, WeightsError
from transfer_core.i18n import _

Words = Literal["all", "last-stage", "none"]
# Words, how many stages from the stem on, or names of stages, modules or parameters.
Frozen = Words | int | Collection[str]
TIMM = "timm"
NORMALISATIONS = (_BatchNorm, nn.LayerNorm, nn.GroupNorm)


class Backbone(nn.Module):
    """A pretrained network without its classifier, told in stages.

    `forward` takes normalised float pictures `[N, 3, H, W]` and gives pooled features `[N, D]`, the input of torchvision's head.
    Boundary `b` is the one tensor that flows from the first `b` stages into the rest: 0 is the picture, `len(stages)` the features.

    Frozen parts stay in eval mode whatever `train()` says, and so does every BatchNorm: small batches of few samples give poor
    statistics, and what the first steps average into the running ones can't be taken back (F. Chollet, "Transfer learning and
    fine-tuning", the Keras guide, keeps BatchNorm in inference mode for the same reason). `batch_statistics = True`
    lets BatchNorm of trained parts use and update statistics of the batches.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, info: BackboneInfo, network: nn.Module, stages: tuple[Stage, ...] | None = None):
        super().__init__()
        self.info = info
        self.network = network
        self.feature_count = info.feature_count
        self.stages: tuple[Stage, ...] = stages or stages_of(info, network)
        self.frozen: tuple[str, ...] = ()
        self.batch_statistics = False
        mean, std = (torch.tensor(values, device="cpu").view(1, 3, 1, 1) for values in (info.mean, info.std))
        # One multiplication and one addition, in training and in the graph alike.
        self.register_buffer("scale", 1 / std, persistent=False)
        self.register_buffer("shift", -mean / std, persistent=False)
        self.eval()

    def forward(self, pictures: Tensor) -> Tensor:
        """Normalised float `[N, 3, H, W]` to pooled features `[N, D]`."""
        return self.run(pictures, 0, len(self.stages))

    def run(self, activation: Tensor, first: int, last: int) -> Tensor:
        """From boundary `first` to boundary `last`."""
        for stage in self.stages[first:last]:
            activation = stage.run(self.network, activation)
        return activation

    def prefix(self, boundary: int) -> Part:
        """What comes before a boundary, 0 to `len(stages)`: normalised pictures to its activation. Parameters are shared."""
        return Part(self, 0, boundary)

    def suffix(self, boundary: int) -> Part:
        """What comes after a boundary, 0 to `len(stages)`: its activation to pooled features. Parameters are shared."""
        return Part(self, boundary, len(self.stages))

    def normalise(self, pixels: Tensor) -> Tensor:
        """Pixels in 0..1, float `[N, 3, H, W]`, as the weights want them."""
        return pixels * self.scale + self.shift

    def freeze(self, frozen: Frozen) -> Self:
        """Freeze "all", "none", everything but the "last-stage", so many stages from the stem on, or what is named.

        Names are those of stages (`stem`, `stage1`, ...) or of the network's modules and parameters; what they hold is frozen, nothing
        else. Raises BackboneError for a number or a name that this network does not have.
        """
        self.frozen = self._prefixes(frozen)
        for name, parameter in self.network.named_parameters():
            parameter.requires_grad_(not self.is_frozen(name))
        return self.train(self.training)

    def is_frozen(self, name: str) -> bool:
        """Whether the network's module, parameter or buffer of this name is frozen."""
        return any(name == prefix or name.startswith(prefix + ".") for prefix in self.frozen)

    @property
    def boundary(self) -> int:
        """How many stages from the stem on are frozen as a whole: where what is frozen can be computed once and kept."""
        for number, stage in enumerate(self.stages):
            if any(parameter.requires_grad for _name, parameter in self.stage_parameters(stage)):
                return number
        return len(self.stages)

    def train(self, mode: bool = True) -> Self:
        """Training or eval mode for what is trained; what is frozen, and BatchNorm, stays in eval mode."""
        super().train(False)
        self.training = mode
        if not mode or self.boundary == len(self.stages):
            return self
        for name, module in self.network.named_modules():
            if not self.is_frozen(name):
                module.training = self.batch_statistics or not isinstance(module, _BatchNorm)
        return self

    def stage_parameters(self, stage: Stage) -> Iterator[tuple[str, nn.Parameter]]:
        """Names, as the network has them, and parameters of one stage."""
        return ((name, parameter) for name, parameter in self.network.named_parameters() if stage.holds(name))

    def parameter_groups(self) -> list[tuple[Stage, list[nn.Parameter]]]:
        """The parameters that learn, by stage, stem first; stages without any are left out."""
        groups = [(stage, [p for _name, p in self.stage_parameters(stage) if p.requires_grad]) for stage in self.stages]
        return [(stage, parameters) for stage, parameters in groups if parameters]

    def normalisations(self) -> dict[str, nn.Module]:
        """The layers that normalise activations, by name: BatchNorm, LayerNorm, GroupNorm and their kin."""
        return {name: module for name, module in self.network.named_modules() if isinstance(module, NORMALISATIONS)}

    def fixed_buffers(self) -> list[str]:
        """Buffers that training leaves as they are: all that is frozen, and BatchNorm's statistics unless `batch_statistics`."""
        batch = {name for name, module in self.normalisations().items() if isinstance(module, _BatchNorm)}
        names = (name for name, _buffer in self.network.named_buffers())
        return [
            name
            for name in names
            if self.is_frozen(name) or (not self.batch_statistics and name.rpartition(".")[0] in batch) or not self._changes(name)
        ]

    def _changes(self, buffer: str) -> bool:
        """Whether training mode ever writes to a buffer: only running statistics are."""
        return isinstance(self.network.get_submodule(buffer.rpartition(".")[0]), _BatchNorm)

    def _prefixes(self, frozen: Frozen) -> tuple[str, ...]:
        count = len(self.stages)
        if isinstance(frozen, str):
            words: dict[str, int] = {"all": count, "last-stage": count - 1, "none": 0}
            if frozen not in words:
                return self._named([frozen])
            frozen = words[frozen]
        if not isinstance(frozen, int):
            return self._named(frozen)
        if not 0 <= frozen <= count:
            raise BackboneError(
                _("{backbone} has {count} stages, so {number} of them can't be frozen.").format(
                    backbone=self.info.name, count=count, number=frozen
                ),
                code="unknown-stage",
                fix=_("Give a number between 0 and {count}.").format(count=count),
            )
        # All of it, so that what belongs to no stage is frozen as well.
        if frozen == count:
            return tuple(name for name, _child in self.network.named_children()) + tuple(
                name for name, _parameter in self.network.named_parameters(recurse=False)
            )
        return tuple(prefix for stage in self.stages[:frozen] for prefix in stage.prefixes)

    def _named(self, names: Collection[str]) -> tuple[str, ...]:
        stages = {stage.name: stage.prefixes for stage in self.stages}
        parts = {name for name, _module in self.network.named_modules() if name} | set(self.network.state_dict())
        found: list[str] = []
        for name in names:
            if name not in stages and name not in parts:
                raise BackboneError(
                    _("{backbone} has no stage and no part named {name}.").format(backbone=self.info.name, name=name),
                    code="unknown-stage",
                    fix=_('Freeze "all", "none", a number of stages, or some of these: {names}.').format(names=", ".join(stages)),
                )
            found += stages.get(name, (name,))
        return tuple(found)

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


class Part(nn.Module):
    """Consecutive stages of a backbone, whose parameters it shares."""

    def __init__(self, backbone: Backbone, first: int, last: int):
        super().__init__()
        if not 0 <= first <= last <= len(backbone.stages):
            raise ValueError(f"boundaries of {backbone.info.name} are 0 to {len(backbone.stages)}, got {first} and {last}")
        self.backbone = backbone
        self.first, self.last = first, last

    def forward(self, activation: Tensor) -> Tensor:
        """The activation at the first boundary to that at the last."""
        return self.backbone.run(activation, self.first, self.last)


class FromPixels(nn.Module):
    """A backbone that takes pixels as they are kept: uint8 `[N, S, S, 3]` to its activation at every boundary, the features last."""

    scale: Tensor

    def __init__(self, backbone: Backbone):
        super().__init__()
        self.backbone = backbone
        # The division by 255 goes into the normalisation's multiplication.
        self.register_buffer("scale", backbone.scale / 255, persistent=False)

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        activation = pixels.permute(0, 3, 1, 2).float() * self.scale + self.backbone.shift
        activations = []
        for number in range(len(self.backbone.stages)):
            activation = self.backbone.run(activation, number, number + 1)
            activations.append(activation)
        return tuple(activations)


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
    """Torchvision's network up to its pooled features, under torchvision's names."""
    if info.architecture == STARTER:
        return nn.ModuleDict({"features": models.mobilenet_v3_small(weights=None).features})
    network = whole_network(info.architecture, info.family, info.minimum_size)
    # These classes get in the way: SqueezeNet's classifier is no layer before its features, and MNASNet refuses a state dict
    # without a version number, which safetensors has no place for.
    if (trunk := {"squeezenet": "features", "mnasnet": "layers"}.get(info.family)) is not None:
        return nn.ModuleDict({trunk: network.get_submodule(trunk)})
    network.set_submodule(info.head, nn.Identity())
    return network


def build_backbone(info: BackboneInfo) -> Backbone:
    """The architecture with random parameters, from torch's global generator."""
    if info.family == TIMM:
        from transfer_core.backbones.timm_models import groups_of, headless

        network = headless(info.architecture)
        return Backbone(info, network, stages_from(groups_of(network), network))
    return Backbone(info, _headless(info))


def outline(info: BackboneInfo) -> Backbone:
    """The architecture alone: on the meta device where that can be, so that nothing is allocated or drawn at random."""
    with without_memory(info.family):
        return build_backbone(info)


def without_memory(family: str) -> torch.device:
    """A context in which networks of `family` are built without allocating, where that can be."""
    # RegNet computes its widths with tensors, and reads them back while it is built.
    # The stages of timm's networks are found by watching pictures go through, which takes real parameters.
    return torch.device("cpu" if family in ("regnet", TIMM) else "meta")


def load_backbone(kept: KeptWeights) -> Backbone:
    """The backbone with its weights, in eval mode on the CPU; raises WeightsError if the kept file was altered."""
    return outline(backbone_info(kept.backbone)).load(read_kept(kept))


def check_size(info: BackboneInfo, size: int) -> None:
    """Raise BackboneError unless pictures of `size` pixels a side can be looked at."""
    if size != info.crop and takes_one_size(info):
        raise BackboneError(
            _("{backbone} takes pictures of exactly {size} pixels.").format(backbone=info.name, size=info.crop),
            code="size-not-possible",
            fix=_("Leave the size at {size}, or choose another backbone.").format(size=info.crop),
        )
    smallest = smallest_size(info)
    if size < smallest:
        raise BackboneError(
            _("{backbone} can't look at pictures of only {size} pixels.").format(backbone=info.name, size=size),
            code="size-not-possible",
            fix=_("Choose a size of at least {size}.").format(size=smallest),
        )


def smallest_size(info: BackboneInfo) -> int:
    """The least side in pixels of a picture that the network can look at."""
    family = FAMILIES.get(info.family)
    return info.crop if takes_one_size(info) else (family and family.smallest) or max(info.minimum_size, 32)

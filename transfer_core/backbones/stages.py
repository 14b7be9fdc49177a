"""A backbone's stages, stem first: what freezing, layer-wise learning rates and boundaries are told in.

A new family is one entry in `FAMILIES`. Between two stages flows one tensor, so a network can be cut there. A step that only
makes the picture smaller (DenseNet's transitions, the downsampling of ConvNeXt and Swin, pools) closes the stage before it: the
boundary is then half or a quarter as large to keep.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

    from transfer_core.backbones.catalogue import BackboneInfo

Group = tuple[str, ...]
Table = Callable[["nn.Module"], list[Group]]


@dataclass(frozen=True)
class Stage:
    """One of a backbone's ordered blocks: `stem`, `stage1`, ...; the modules under `prefixes` belong to it."""

    name: str
    prefixes: tuple[str, ...]

    def holds(self, name: str) -> bool:
        """Whether torchvision's `name` of a module, parameter or buffer lies in this stage."""
        return any(name == prefix or name.startswith(prefix + ".") for prefix in self.prefixes)


def stages_of(info: BackboneInfo, network: nn.Module) -> tuple[Stage, ...]:
    """The stages of `network`, torchvision's without its head; the last one takes in everything up to the head."""
    there = {*network.state_dict(), *(name for name, _module in network.named_modules())}
    stages = []
    for index, group in enumerate(FAMILIES[info.family](network)):
        # Not every network of a family has all of it: the starter has no hidden classifier layer.
        prefixes = tuple(prefix for prefix in group if prefix in there)
        stages.append(Stage(f"stage{index}" if index else "stem", prefixes))
    return tuple(stages)


def _fixed(*groups: Group) -> Table:
    """The same modules in every network of the family."""
    return lambda network: list(groups)


def _numbered(container: str, starts: Mapping[int, tuple[int, ...]], after: Group = ()) -> Table:
    """Children of `container` in runs that begin at `starts`, which depend on how many children there are."""

    def table(network: nn.Module) -> list[Group]:
        children = _children(network, container)
        return _cut(children, starts[len(children)], after)

    return table


def _one_by_one(container: str) -> Table:
    """Every child of `container` is a stage, but the last, a single convolution, belongs to the one before it."""

    def table(network: nn.Module) -> list[Group]:
        children = _children(network, container)
        return _cut(children, tuple(range(len(children) - 1)))

    return table


def _between_pools(container: str, after: Group = ()) -> Table:
    """Children of `container` up to and with each max pool."""

    def table(network: nn.Module) -> list[Group]:
        modules = list(network.get_submodule(container).children())
        starts = [index + 1 for index, module in enumerate(modules) if type(module).__name__ == "MaxPool2d"]
        inner = tuple(start for start in starts if start < len(modules))
        return _cut(_children(network, container), (0, *inner), after)

    return table


def _quarters(stem: Group, container: str, after: Group) -> Table:
    """Transformers keep one resolution throughout; a quarter of the layers costs what other families' last stage does."""

    def table(network: nn.Module) -> list[Group]:
        layers = _children(network, container)
        quarter = len(layers) // 4
        return [stem, *_cut(layers, (0, quarter, 2 * quarter, 3 * quarter), after)]

    return table


def _children(network: nn.Module, container: str) -> list[str]:
    return [f"{container}.{name}" for name, _child in network.get_submodule(container).named_children()]


def _cut(names: list[str], starts: tuple[int, ...], after: Group = ()) -> list[Group]:
    """`names` in runs beginning at `starts`; `after` goes with the last run."""
    groups = [tuple(names[start:end]) for start, end in _spans(starts, len(names))]
    return [*groups[:-1], groups[-1] + after]


def _spans(starts: tuple[int, ...], end: int) -> Iterator[tuple[int, int]]:
    return zip(starts, (*starts[1:], end), strict=True)


# Runs of inverted residual blocks with the same number of channels, as the papers' tables list them.
_MOBILENET_V2 = {19: (0, 1, 2, 4, 7, 11, 14, 17)}
_MOBILENET_V3 = {13: (0, 1, 2, 4, 7, 9), 17: (0, 1, 2, 4, 7, 11, 13)}  # small, large
_MNASNET = {17: (0, 8, 9, 10, 11, 12, 13)}
_PAIRS = {8: (0, 1, 3, 5, 7)}  # blocks, then the downsampling that leads to the next

FAMILIES: dict[str, Table] = {
    "alexnet": _between_pools("features", ("classifier",)),
    "convnext": _numbered("features", _PAIRS, ("classifier",)),
    "densenet": _fixed(
        ("features.conv0", "features.norm0"),
        ("features.denseblock1", "features.transition1"),
        ("features.denseblock2", "features.transition2"),
        ("features.denseblock3", "features.transition3"),
        ("features.denseblock4", "features.norm5"),
    ),
    "efficientnet": _one_by_one("features"),
    "googlenet": _fixed(
        ("conv1", "conv2", "conv3"),
        ("inception3a", "inception3b"),
        ("inception4a", "inception4b", "inception4c", "inception4d", "inception4e"),
        ("inception5a", "inception5b"),
    ),
    "inception": _fixed(
        ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Conv2d_3b_1x1", "Conv2d_4a_3x3"),
        ("Mixed_5b", "Mixed_5c", "Mixed_5d"),
        ("Mixed_6a", "Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"),
        ("Mixed_7a", "Mixed_7b", "Mixed_7c"),
    ),
    "maxvit": _fixed(("stem",), ("blocks.0",), ("blocks.1",), ("blocks.2",), ("blocks.3", "classifier")),
    "mnasnet": _numbered("layers", _MNASNET),
    "mobilenetv2": _numbered("features", _MOBILENET_V2),
    "mobilenetv3": _numbered("features", _MOBILENET_V3, ("classifier",)),
    "regnet": _fixed(("stem",), *((f"trunk_output.block{number}",) for number in range(1, 5))),
    "resnet": _fixed(("conv1", "bn1"), ("layer1",), ("layer2",), ("layer3",), ("layer4",)),
    "shufflenetv2": _fixed(("conv1",), ("stage2",), ("stage3",), ("stage4", "conv5")),
    "squeezenet": _between_pools("features"),
    "swin_transformer": _numbered("features", _PAIRS, ("norm",)),
    "vgg": _between_pools("features", ("classifier",)),
    "vision_transformer": _quarters(("class_token", "conv_proj", "encoder.pos_embedding"), "encoder.layers", ("encoder.ln",)),
}

"""A backbone's stages, stem first: what freezing, layer-wise learning rates and boundaries are told in.

A family is one entry in `FAMILIES`: its steps, in the order in which a picture goes through them, in groups that are the stages. Between
two stages flows one tensor, so a network can be cut there. A step that only makes the picture smaller (DenseNet's transitions, the
downsampling of ConvNeXt and Swin, pools) closes the stage before it: the boundary is then half or a quarter as large to keep.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn

    from transfer_core.backbones.catalogue import BackboneInfo


@dataclass(frozen=True)
class Between:
    """What a network does between its modules: a function of the network and the activation; `uses` names parameters it needs."""

    apply: Callable[[nn.Module, Tensor], Tensor]
    uses: tuple[str, ...] = ()


Step = str | Between  # a module of the network by its name, or what comes between two
Group = tuple[Step, ...]
Table = Callable[["nn.Module"], list[Group]]


@dataclass(frozen=True)
class Stage:
    """One of a backbone's ordered blocks: `stem`, `stage1`, ..., and the steps it consists of."""

    name: str
    steps: tuple[Step, ...]

    @property
    def prefixes(self) -> tuple[str, ...]:
        """Names of the modules and parameters that belong to the stage."""
        return tuple(name for step in self.steps for name in ((step,) if isinstance(step, str) else step.uses))

    def holds(self, name: str) -> bool:
        """Whether `name` of a module, parameter or buffer of the network lies in this stage."""
        return any(name == prefix or name.startswith(prefix + ".") for prefix in self.prefixes)

    def run(self, network: nn.Module, activation: Tensor) -> Tensor:
        """What the stage makes of the activation before it."""
        for step in self.steps:
            activation = network.get_submodule(step)(activation) if isinstance(step, str) else step.apply(network, activation)
        return activation


@dataclass(frozen=True)
class Family:
    """What the networks of one torchvision module have in common.

    `smallest` is the least side of a picture in pixels, where torchvision's own figure is not that; networks of `one_size` take
    only the one their weights were made for, because their position embeddings or window grids are of that size. All others pool over
    what is left of the picture.
    """

    table: Table
    smallest: int | None = None
    one_size: bool = False


def stages_of(info: BackboneInfo, network: nn.Module) -> tuple[Stage, ...]:
    """The stages of `network`, torchvision's without its head; the last one takes in everything up to the pooled features."""
    return stages_from(FAMILIES[info.family].table(network), network)


def stages_from(groups: list[Group], network: nn.Module) -> tuple[Stage, ...]:
    """Groups of steps as stages `stem`, `stage1`, ..."""
    there = {name for name, _module in network.named_modules()}
    stages = []
    for index, group in enumerate(groups):
        # Not every network of a family has all of it: the starter has no hidden classifier layer.
        steps = tuple(step for step in group if not isinstance(step, str) or step in there)
        stages.append(Stage(f"stage{index}" if index else "stem", steps))
    return tuple(stages)


def _pool(network: nn.Module, activation: Tensor) -> Tensor:
    """`[N, C, H, W]` to its mean over space, `[N, C]`."""
    from torch.nn.functional import adaptive_avg_pool2d

    return adaptive_avg_pool2d(activation, 1).flatten(1)


def _flatten(network: nn.Module, activation: Tensor) -> Tensor:
    return activation.flatten(1)


def _relu(network: nn.Module, activation: Tensor) -> Tensor:
    return activation.relu()


def _rescale(network: nn.Module, pictures: Tensor) -> Tensor:
    """Channels as the weights that came from TensorFlow want them."""
    scaled: Tensor = network._transform_input(pictures)  # type: ignore[operator]
    return scaled


def _embed(network: nn.Module, pictures: Tensor) -> Tensor:
    """Patches as tokens, the class token before them, each with its position."""
    import torch

    tokens: Tensor = network._process_input(pictures)  # type: ignore[operator]
    first: Tensor = network.get_parameter("class_token").expand(tokens.shape[0], -1, -1)
    return torch.cat([first, tokens], dim=1) + network.get_parameter("encoder.pos_embedding")


def _first_token(network: nn.Module, tokens: Tensor) -> Tensor:
    return tokens[:, 0]


POOL, FLATTEN, RELU, RESCALE, FIRST_TOKEN = (Between(apply) for apply in (_pool, _flatten, _relu, _rescale, _first_token))
EMBED = Between(_embed, ("class_token", "conv_proj", "encoder.pos_embedding"))


def _fixed(*groups: Group) -> Table:
    """The same steps in every network of the family."""
    return lambda network: list(groups)


def _numbered(container: str, starts: Mapping[int, tuple[int, ...]], after: Group) -> Table:
    """Children of `container` in runs that begin at `starts`, which depend on how many children there are."""

    def table(network: nn.Module) -> list[Group]:
        children = _children(network, container)
        return _cut(children, starts[len(children)], after)

    return table


def _one_by_one(container: str, after: Group) -> Table:
    """Every child of `container` is a stage, but the last, a single convolution, belongs to the one before it."""

    def table(network: nn.Module) -> list[Group]:
        children = _children(network, container)
        return _cut(children, tuple(range(len(children) - 1)), after)

    return table


def _between_pools(container: str, after: Group) -> Table:
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


def _cut(names: list[str], starts: tuple[int, ...], after: Group) -> list[Group]:
    """`names` in runs beginning at `starts`; `after` goes with the last run."""
    groups: list[Group] = [tuple(names[start:end]) for start, end in _spans(starts, len(names))]
    return [*groups[:-1], groups[-1] + after]


def _spans(starts: tuple[int, ...], end: int) -> Iterator[tuple[int, int]]:
    return zip(starts, (*starts[1:], end), strict=True)


# Runs of inverted residual blocks with the same number of channels, as the papers' tables list them.
_MOBILENET_V2 = {19: (0, 1, 2, 4, 7, 11, 14, 17)}
_MOBILENET_V3 = {13: (0, 1, 2, 4, 7, 9), 17: (0, 1, 2, 4, 7, 11, 13)}  # small, large
_MNASNET = {17: (0, 8, 9, 10, 11, 12, 13)}
_PAIRS = {8: (0, 1, 3, 5, 7)}  # blocks, then the downsampling that leads to the next

FAMILIES: dict[str, Family] = {
    "alexnet": Family(_between_pools("features", ("avgpool", FLATTEN, "classifier"))),
    "convnext": Family(_numbered("features", _PAIRS, ("avgpool", "classifier"))),
    "densenet": Family(
        _fixed(
            ("features.conv0", "features.norm0", "features.relu0", "features.pool0"),
            ("features.denseblock1", "features.transition1"),
            ("features.denseblock2", "features.transition2"),
            ("features.denseblock3", "features.transition3"),
            ("features.denseblock4", "features.norm5", RELU, POOL),
        )
    ),
    "efficientnet": Family(_one_by_one("features", (POOL, "classifier"))),
    "googlenet": Family(
        _fixed(
            (RESCALE, "conv1", "maxpool1", "conv2", "conv3", "maxpool2"),
            ("inception3a", "inception3b", "maxpool3"),
            ("inception4a", "inception4b", "inception4c", "inception4d", "inception4e", "maxpool4"),
            ("inception5a", "inception5b", POOL, "dropout"),
        )
    ),
    "inception": Family(
        _fixed(
            (
                RESCALE,
                "Conv2d_1a_3x3",
                "Conv2d_2a_3x3",
                "Conv2d_2b_3x3",
                "maxpool1",
                "Conv2d_3b_1x1",
                "Conv2d_4a_3x3",
                "maxpool2",
            ),
            ("Mixed_5b", "Mixed_5c", "Mixed_5d"),
            ("Mixed_6a", "Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"),
            ("Mixed_7a", "Mixed_7b", "Mixed_7c", POOL, "dropout"),
        )
    ),
    "maxvit": Family(_fixed(("stem",), ("blocks.0",), ("blocks.1",), ("blocks.2",), ("blocks.3", "classifier")), one_size=True),
    "mnasnet": Family(_numbered("layers", _MNASNET, (POOL,))),
    "mobilenetv2": Family(_numbered("features", _MOBILENET_V2, (POOL, "classifier"))),
    "mobilenetv3": Family(_numbered("features", _MOBILENET_V3, (POOL, "classifier"))),
    "regnet": Family(
        _fixed(
            ("stem",), ("trunk_output.block1",), ("trunk_output.block2",), ("trunk_output.block3",), ("trunk_output.block4", POOL)
        )
    ),
    "resnet": Family(_fixed(("conv1", "bn1", "relu", "maxpool"), ("layer1",), ("layer2",), ("layer3",), ("layer4", POOL))),
    "shufflenetv2": Family(_fixed(("conv1", "maxpool"), ("stage2",), ("stage3",), ("stage4", "conv5", POOL))),
    "squeezenet": Family(_between_pools("features", (POOL,))),
    # Windows are padded, so it works far below the size that torchvision tested.
    "swin_transformer": Family(_numbered("features", _PAIRS, ("norm", "permute", POOL)), smallest=64),
    "vgg": Family(_between_pools("features", ("avgpool", FLATTEN, "classifier"))),
    "vision_transformer": Family(
        _quarters((EMBED, "encoder.dropout"), "encoder.layers", ("encoder.ln", FIRST_TOKEN)), one_size=True
    ),
}


def takes_one_size(info: BackboneInfo) -> bool:
    """Whether the network looks at pictures of its own size alone."""
    # Of networks without a table nothing is known but that they take the size they were made for.
    return info.family not in FAMILIES or FAMILIES[info.family].one_size

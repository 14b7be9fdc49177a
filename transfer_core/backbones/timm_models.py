"""Networks of timm, where it is installed: built and told in stages through the same interface as torchvision's."""

from __future__ import annotations

from torch import Tensor, nn

from transfer_core.backbones.stages import Between, Group
from transfer_core.backbones.unknown import watched
from transfer_core.errors import BackboneError
from transfer_core.i18n import _

PREFIX = "timm/"


def headless(architecture: str) -> nn.Module:
    """A network of timm with random parameters that gives pooled features `[N, D]`; raises BackboneError where timm lacks it."""
    try:
        import timm
    except ImportError as error:
        raise BackboneError(
            _("{backbone} is a network of the package timm, which is not installed.").format(backbone=architecture),
            code="no-timm",
            fix=_("Install it: pip install timm"),
        ) from error
    try:
        network: nn.Module = timm.create_model(architecture.removeprefix(PREFIX), pretrained=False, num_classes=0)
    except RuntimeError as error:
        raise BackboneError(
            _("The installed timm has no network {backbone}.").format(backbone=architecture), code="unknown-backbone"
        ) from error
    return network.eval()


def groups_of(network: nn.Module) -> list[Group]:
    """The stages of a network of timm: from a table, by watching a picture go through, or, failing both, as one."""
    if type(network).__name__ == "VisionTransformer":
        return _vision_transformer(network)
    size = max(network.pretrained_cfg["input_size"][1:])  # type: ignore[index]
    try:
        return watched(network, size)[0]
    except Exception:  # a stranger's network can stumble anywhere when its parts are run by themselves
        # Frozen or trained as a whole is still what most people want of it.
        parts = [name for name, _child in network.named_children()]
        own = [name for name, _parameter in network.named_parameters(recurse=False)]
        return [(Between(_whole, (*parts, *own)),)]


def _whole(network: nn.Module, pictures: Tensor) -> Tensor:
    features: Tensor = network(pictures)
    return features


def _vision_transformer(network: nn.Module) -> list[Group]:
    """Patches and positions, then the blocks in quarters, the last one with all that follows."""
    blocks = [f"blocks.{name}" for name, _block in network.get_submodule("blocks").named_children()]
    quarter = max(1, len(blocks) // 4)
    cuts = [*range(0, 3 * quarter + 1, quarter)][: len(blocks)]
    groups: list[Group] = [tuple(blocks[start:end]) for start, end in zip(cuts, [*cuts[1:], len(blocks)], strict=True)]
    own = [name for name, _parameter in network.named_parameters(recurse=False)]
    after = [name for name, _child in network.named_children() if name not in ("patch_embed", "pos_drop", "blocks")]
    before = [name for name in after if name in ("patch_drop", "norm_pre")]
    stem: Group = (Between(_tokens, ("patch_embed", "pos_drop", *before, *own)),)
    end = Between(_pooled, tuple(name for name in after if name not in before))
    return [stem, *groups[:-1], (*groups[-1], end)]


def _tokens(network: nn.Module, pictures: Tensor) -> Tensor:
    tokens: Tensor = network._pos_embed(network.patch_embed(pictures))  # type: ignore[operator]
    for name in ("patch_drop", "norm_pre"):
        if hasattr(network, name):
            tokens = network.get_submodule(name)(tokens)
    return tokens


def _pooled(network: nn.Module, tokens: Tensor) -> Tensor:
    features: Tensor = network.forward_head(network.get_submodule("norm")(tokens))  # type: ignore[operator]
    return features

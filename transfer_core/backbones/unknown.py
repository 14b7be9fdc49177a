"""A network that no table describes, told in stages by watching one picture go through it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from transfer_core.backbones.catalogue import BackboneInfo, Triple, layout_of, own_modules
from transfer_core.backbones.network import Backbone, find_head
from transfer_core.backbones.stages import FLATTEN, POOL, RELU, Between, Group, Step, stages_from
from transfer_core.errors import BackboneError
from transfer_core.i18n import _

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
TOLERANCE = 1e-5  # of the largest feature
MOST_STAGES = 8
# What networks do between their modules without saying so in a module.
GLUE = (FLATTEN, RELU, POOL)


@dataclass(frozen=True)
class _Call:
    """One module's turn: what went in and what came out."""

    name: str
    given: Tensor
    gave: Tensor


def own_backbone(
    network: nn.Module,
    *,
    size: int = 224,
    mean: Triple = IMAGENET_MEAN,
    std: Triple = IMAGENET_STD,
    name: str = "own",
    head: str | None = None,
) -> Backbone:
    """A backbone from a network of your own, which stays as it is: it is copied, and the copy loses its classifier.

    `network` takes normalised float pictures `[N, 3, size, size]`. Its classifier is the module named `head`, by default the last
    linear layer if that is what the network ends with; `head=""` says that it has none. The stages are found by watching random pictures
    go through: modules that follow one another are grouped by the resolution of what they give.
    Raises BackboneError (not-in-stages) for a network whose parts don't follow one another, or that gives no features `[N, D]`.
    """
    network = copy.deepcopy(network).cpu().float().eval()
    if head is None:
        head = _head(network, _pictures(size))
    if head:
        network.set_submodule(head, nn.Identity())
    groups, width = watched(network, size)
    return Backbone(_info(network, name, head, width, size, mean, std), network, stages_from(groups, network))


@torch.no_grad()
def watched(network: nn.Module, size: int) -> tuple[list[Group], int]:
    """The steps of a network without a classifier, in groups that are its stages, and how many features it gives.

    Found by watching pictures of `size` pixels go through, and checked: one after the other they give what the network gives.
    Raises BackboneError (not-in-stages).
    """
    pictures = _pictures(size)
    features = _features(network, pictures)
    groups = _grouped(network, _steps(network, pictures), pictures)
    found = pictures
    for stage in stages_from(groups, network):
        found = stage.run(network, found)
    if found.shape != features.shape or not (found - features).abs().max() <= TOLERANCE * features.abs().max().clamp_min(1.0):
        raise _not_in_stages(type(network).__name__, _("its parts don't follow one another"))
    return groups, features.shape[1]


def _pictures(size: int) -> Tensor:
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def _head(network: nn.Module, pictures: Tensor) -> str:
    """The classifier's name, if the network ends with one; else ""."""
    try:
        name = find_head(network)
    except IndexError:
        return ""
    outputs: list[Tensor] = []
    hook = network.get_submodule(name).register_forward_hook(lambda module, given, gave: outputs.append(gave))
    end = network(pictures)
    hook.remove()
    return name if len(outputs) == 1 and isinstance(end, Tensor) and end.numel() == outputs[0].numel() else ""


def _features(network: nn.Module, pictures: Tensor) -> Tensor:
    end = network(pictures)
    if isinstance(end, Tensor) and end.ndim == 4:
        end = POOL.apply(network, end)
    if not isinstance(end, Tensor) or end.ndim != 2:
        raise _not_in_stages(type(network).__name__, _("it does not give one row of features a picture"))
    return end


def _steps(network: nn.Module, pictures: Tensor) -> list[Step]:
    """The network's modules in the order of their turns, and what is done between them."""
    steps: list[Step] = []
    activation = pictures
    calls = _calls(network, "", pictures)
    while len(calls) < MOST_STAGES and (large := _largest(network, calls)) is not None:
        # A container that holds most of the layers hides the stages: it is opened, if what is in it follows one another.
        inner = _calls(network, calls[large].name, calls[large].given)
        if not inner or not torch.equal(inner[-1].gave, calls[large].gave) or not _follow(inner, calls[large].given):
            break
        calls[large : large + 1] = inner
    for call in calls:
        steps += _glue(network, activation, call.given)
        steps.append(call.name)
        activation = call.gave
    if activation.ndim == 4:
        steps.append(POOL)
    elif activation.ndim > 2:
        steps.append(FLATTEN)
    return steps


def _calls(network: nn.Module, parent: str, given: Tensor) -> list[_Call]:
    """The turns of the children of the module named `parent`, run on `given`."""
    module = network.get_submodule(parent)
    calls: list[_Call] = []
    waiting: dict[str, Tensor] = {}

    # Copies of both: activations are changed in place by whoever comes next.
    def before(name: str) -> Any:
        def hook(child: nn.Module, inputs: tuple[Any, ...]) -> None:
            if len(inputs) == 1 and isinstance(inputs[0], Tensor):
                waiting[name] = inputs[0].clone()

        return hook

    def after(name: str) -> Any:
        def hook(child: nn.Module, inputs: tuple[Any, ...], gave: Any) -> None:
            if name in waiting and isinstance(gave, Tensor):
                calls.append(_Call(name, waiting.pop(name), gave.clone()))

        return hook

    hooks = []
    for child_name, child in module.named_children():
        name = f"{parent}.{child_name}" if parent else child_name
        hooks += [child.register_forward_pre_hook(before(name)), child.register_forward_hook(after(name))]
    try:
        module(given)
    finally:
        for hook in hooks:
            hook.remove()
    return calls


def _largest(network: nn.Module, calls: list[_Call]) -> int | None:
    """The turn of the container with more than half of all layers in it, if there is one."""
    modules = [network.get_submodule(call.name) for call in calls]
    counts = [sum(not list(part.children()) for part in module.modules()) for module in modules]
    largest = max(range(len(counts)), key=counts.__getitem__, default=None)
    return largest if largest is not None and 2 * counts[largest] > sum(counts) and counts[largest] > 1 else None


def _follow(calls: list[_Call], start: Tensor) -> bool:
    """Whether each module is given what the one before it gave."""
    given = [start, *(call.gave for call in calls[:-1])]
    return all(torch.equal(call.given, before) for call, before in zip(calls, given, strict=True))


def _glue(network: nn.Module, before: Tensor, after: Tensor) -> Iterator[Between]:
    """What turns `before` into `after`, if it is among the usual."""
    if before.shape == after.shape and torch.equal(before, after):
        return
    for step in GLUE:
        made = step.apply(network, before) if before.ndim == 4 or step is not POOL else before
        if made.shape == after.shape and torch.allclose(made, after, rtol=1e-6, atol=1e-6):
            yield step
            return


def _grouped(network: nn.Module, steps: list[Step], pictures: Tensor) -> list[Group]:
    """Steps as stages: those at one resolution together, and what has no parameters with the stage before it."""
    groups: list[list[Step]] = []
    sides: list[tuple[int, ...]] = []
    activation = pictures
    try:
        for step in steps:
            activation = network.get_submodule(step)(activation) if isinstance(step, str) else step.apply(network, activation)
            side = tuple(activation.shape[2:]) if activation.ndim == 4 else ()
            learns = isinstance(step, str) and any(True for _parameter in network.get_submodule(step).parameters())
            if groups and (not learns or side == sides[-1]):
                groups[-1].append(step)
            else:
                groups.append([step])
                sides.append(side)
    except RuntimeError as error:  # a step that was given what only the real network would give it
        raise _not_in_stages(type(network).__name__, _("its parts don't follow one another")) from error
    return [tuple(group) for group in groups]


def _info(network: nn.Module, name: str, head: str, features: int, size: int, mean: Triple, std: Triple) -> BackboneInfo:
    state = network.state_dict()
    return BackboneInfo(
        name=name,
        architecture=name,
        family="",
        title=name,
        weights="",
        weights_file="",
        accuracy=None,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        multiply_adds=0.0,
        file_size=sum(tensor.numel() * tensor.element_size() for tensor in state.values()),
        crop=size,
        resize=size,
        mean=mean,
        std=std,
        licence=None,
        minimum_size=size,
        feature_count=features,
        head=head,
        modules=own_modules(state, head),
        layout=layout_of({key: tensor.shape for key, tensor in state.items()}),
    )


def _not_in_stages(name: str, reason: str) -> BackboneError:
    return BackboneError(
        _("{name} can't be told in stages: {reason}.").format(name=name, reason=reason),
        code="not-in-stages",
        fix=_("Give a network whose modules follow one another and that ends in one row of features a picture."),
    )

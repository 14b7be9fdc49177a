"""Folding BatchNorm changes the speed of a frozen pass and nothing else."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from transfer_core.backbones.fold import folded, norms_folded
from transfer_core.backbones.network import Backbone
from transfer_core.backbones.unknown import own_backbone

LIGHT = ["mobilenet_v2", "resnet18", "regnet_y_400mf", "efficientnet_b0", "shufflenet_v2_x0_5", "mnasnet0_5"]


def check_folding(backbone: Backbone, size: int) -> None:
    pictures = torch.randn(2, 3, size, size)
    fast = folded(backbone, size)
    with torch.no_grad():
        expected, found = backbone(pictures), fast(pictures)
    assert (found - expected).abs().max() <= 1e-4 * expected.abs().max().clamp_min(1.0)


@pytest.mark.parametrize("name", LIGHT)
def test_features_stay_what_they_were(name: str, lively: Callable[[str, int], Backbone]) -> None:
    backbone = lively(name, 96)
    before = {key: tensor.clone() for key, tensor in backbone.state_dict().items()}
    check_folding(backbone, 96)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded(backbone, 96).modules())
    assert all(torch.equal(tensor, before[key]) for key, tensor in backbone.state_dict().items()), "the copy alone is folded"


def test_a_norm_before_its_convolution_stays(lively: Callable[[str, int], Backbone]) -> None:
    """DenseNet normalises what several layers gave: only the norm inside a layer follows a convolution."""
    backbone = lively("densenet121", 64)
    check_folding(backbone, 64)
    left = sum(isinstance(module, nn.BatchNorm2d) for module in folded(backbone, 64).modules())
    assert 0 < left < sum(isinstance(module, nn.BatchNorm2d) for module in backbone.modules())


def learnt(backbone: Backbone, pictures: torch.Tensor) -> dict[str, torch.Tensor]:
    """The features, and the gradient of every parameter that learns."""
    backbone.zero_grad()
    features = backbone(pictures)
    features.square().mean().backward()
    gradients = {name: p.grad.clone() for name, p in backbone.named_parameters() if p.grad is not None}
    return gradients | {"features": features.detach()}


@pytest.mark.parametrize("name", LIGHT)
@pytest.mark.parametrize("frozen", ["none", "last-stage"])
def test_training_folded_gives_the_same_gradients(name: str, frozen: str, lively: Callable[[str, int], Backbone]) -> None:
    torch.manual_seed(0)
    backbone = lively(name, 96).freeze(frozen)
    for module in backbone.modules():
        if isinstance(module, nn.Dropout) or type(module).__name__ == "StochasticDepth":
            module.p = 0.0
    backbone.train()
    # In double precision rounding can't hide a difference.
    backbone.double()
    pictures = torch.randn(2, 3, 96, 96, dtype=torch.float64)
    expected = learnt(backbone, pictures)
    assert any("weight" in gradient for gradient in expected)
    asked: list[str] = []
    norms = [module for module in backbone.modules() if isinstance(module, nn.BatchNorm2d)]
    with norms_folded(backbone):
        hooks = [norm.register_forward_hook(lambda _norm, given, gave: asked.append(gave is given[0])) for norm in norms]
        found = learnt(backbone, pictures)
    assert asked and all(asked), "every norm passes on what it is given"
    for hook in hooks:
        hook.remove()
    assert found.keys() == expected.keys()
    for key, tensor in expected.items():
        assert torch.allclose(found[key], tensor, rtol=1e-8, atol=1e-12 + 1e-9 * float(tensor.abs().max())), key
    again = learnt(backbone, pictures)
    assert all(torch.equal(again[key], tensor) for key, tensor in expected.items()), "nothing is left of it"


def test_norms_of_batches_stay_norms_of_batches(lively: Callable[[str, int], Backbone]) -> None:
    backbone = lively("mobilenet_v2", 64).freeze("none")
    backbone.batch_statistics = True
    backbone.train()
    pictures = torch.randn(4, 3, 64, 64)
    means = {name: buffer.clone() for name, buffer in backbone.named_buffers() if name.endswith("running_mean")}
    torch.manual_seed(0)
    with norms_folded(backbone):
        folded_features = backbone(pictures).detach()
    assert any(not torch.equal(backbone.get_buffer(name), mean) for name, mean in means.items())
    for name, mean in means.items():
        backbone.get_buffer(name).copy_(mean)
    torch.manual_seed(0)
    assert torch.allclose(backbone(pictures).detach(), folded_features, atol=1e-5)


def test_a_norm_with_an_activation_in_it_is_left_alone() -> None:
    """timm's norms are BatchNorms by descent, and more than that."""

    class WithActivation(nn.BatchNorm2d):
        def forward(self, given: torch.Tensor) -> torch.Tensor:
            return super().forward(given).relu()

    layers = [nn.Conv2d(3, 8, 3), WithActivation(8), nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8)]
    network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    backbone = own_backbone(network)
    check_folding(backbone, 32)
    pictures = torch.randn(2, 3, 32, 32)
    with torch.no_grad(), norms_folded(backbone):
        found = backbone(pictures)
    with torch.no_grad():
        assert torch.allclose(found, backbone(pictures), atol=1e-5)

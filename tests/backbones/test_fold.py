"""Folding BatchNorm changes the speed of a frozen pass and nothing else."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from transfer_core.backbones.fold import folded
from transfer_core.backbones.network import Backbone

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

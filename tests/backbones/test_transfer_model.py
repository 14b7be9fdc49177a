import doctest
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from transfer_core.backbones import transfer_model
from transfer_core.backbones.catalogue import backbone_info
from transfer_core.backbones.network import build_backbone
from transfer_core.backbones.transfer_model import TransferModel
from transfer_core.backbones.weights import adopt


def test_the_example_in_the_docstring_runs() -> None:
    result = doctest.testmod(transfer_model)
    assert result.attempted > 5
    assert result.failed == 0


def test_source_adapter_and_target_in_this_order() -> None:
    backbone = build_backbone(backbone_info("squeezenet1_1")).eval()
    adapter, target = nn.Linear(512, 8), nn.Sequential(nn.ReLU(), nn.Linear(8, 3))
    model = TransferModel(backbone, target, adapter)
    pictures = torch.randn(2, 3, 64, 64)
    assert model.features(pictures).shape == (2, 8)
    torch.testing.assert_close(model(pictures), target(adapter(backbone(pictures))))


def test_what_learns_is_what_is_not_frozen() -> None:
    model = TransferModel(build_backbone(backbone_info("squeezenet1_1")), 4).freeze("all").train()
    assert not any(module.training for module in model.source.network.modules())
    head = model.parameters_to_train()
    assert [tuple(parameter.shape) for parameter in head] == [(4, 512), (4,)]
    model(torch.randn(2, 3, 64, 64)).sum().backward()
    assert all(parameter.grad is not None for parameter in head)
    assert all(parameter.grad is None for parameter in model.source.parameters())
    assert len(model.freeze("none").parameters_to_train()) == len(list(model.parameters()))


@pytest.mark.parametrize("by_name", [True, False])
def test_a_source_by_name_or_by_its_weights(by_name: bool, saved: Callable[[str], Path]) -> None:
    kept = adopt("squeezenet1_1", saved("squeezenet1_1"))
    model = TransferModel("squeezenet1_1" if by_name else kept, 2).eval()
    assert model(torch.randn(1, 3, 64, 64)).shape == (1, 2)


def test_a_state_dict_goes_back_in() -> None:
    """Also without the version numbers that safetensors has no place for, which MNASNet's own class insists on."""
    info = backbone_info("mnasnet0_5")
    first, second = (TransferModel(build_backbone(info), 2).eval() for _ in range(2))
    second.load_state_dict({name: tensor.clone() for name, tensor in first.state_dict().items()})
    pictures = torch.randn(1, 3, 64, 64)
    torch.testing.assert_close(first(pictures), second(pictures))

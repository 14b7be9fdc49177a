"""Networks of the user's own: told in stages, or refused with a sentence."""

import pytest
import torch
from torch import Tensor, nn
from torchvision import models

from transfer_core.backbones.unknown import own_backbone
from transfer_core.errors import BackboneError


class Small(nn.Module):
    """A usual network with what usual networks do between their modules."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8))
        self.body = nn.Sequential(nn.Conv2d(8, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU())
        self.fc = nn.Linear(32, 7)

    def forward(self, pictures: Tensor) -> Tensor:
        scores: Tensor = self.fc(self.body(torch.relu(self.stem(pictures))).mean((2, 3)))
        return scores


class Crossing(nn.Module):
    """Its last part needs what its first part gave."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 8, 3, 1, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        first = self.first(pictures)
        return (self.second(first) + first).mean((2, 3))


def test_a_network_is_told_in_stages_that_compose() -> None:
    network = Small().eval()
    backbone = own_backbone(network, size=64)
    assert [stage.name for stage in backbone.stages] == ["stem", "stage1", "stage2"]
    assert backbone.feature_count == 32
    pictures = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        expected = network.body(torch.relu(network.stem(pictures))).mean((2, 3))
        torch.testing.assert_close(backbone(pictures), expected)
        torch.testing.assert_close(backbone.suffix(1)(backbone.prefix(1)(pictures)), expected)
    assert isinstance(network.fc, nn.Linear), "the user's network stays as it is"


def test_it_can_be_frozen_by_stage() -> None:
    backbone = own_backbone(Small(), size=64).freeze("last-stage")
    assert [stage.name for stage, _parameters in backbone.parameter_groups()] == ["stage2"]


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "vgg11_bn", "regnet_y_400mf"])
def test_torchvisions_own_networks_are_understood_without_a_table(name: str) -> None:
    network = models.get_model(name, weights=None).eval()
    backbone = own_backbone(network, size=64 if name != "vgg11_bn" else 224)
    assert 3 <= len(backbone.stages) <= 8
    every = {key for key in network.state_dict() if not key.startswith(f"{backbone.info.head}.")}
    assert {key for key in every if any(stage.holds(key) for stage in backbone.stages)} == every


def test_a_network_without_a_classifier_keeps_its_end() -> None:
    backbone = own_backbone(nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 16, 3, 2, 1)), size=32)
    assert backbone.feature_count == 16
    assert backbone(torch.randn(1, 3, 32, 32)).shape == (1, 16)


@pytest.mark.parametrize("network", [Crossing(), nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(2))], ids=["crossing", "not a row"])
def test_what_cannot_be_told_in_stages_is_refused(network: nn.Module) -> None:
    with pytest.raises(BackboneError) as caught:
        own_backbone(network, size=32)
    assert caught.value.code == "not-in-stages"
    assert caught.value.fix

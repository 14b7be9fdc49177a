"""Weights for the tests: random ones made here, real ones from beside the repository where they are."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from transfer_core.backbones import catalogue, graph, weights
from transfer_core.backbones.catalogue import backbone_info
from transfer_core.backbones.network import Backbone, build_backbone, whole_network

REPOSITORY = Path(__file__).parents[2]
SHARED = Path(os.environ.get("TRANSFER_STUDIO_SHARED") or REPOSITORY.parent / "shared")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of the test's own, English sentences, no mirror and no proxy."""
    folder = tmp_path / "home"
    monkeypatch.setenv("TRANSFER_STUDIO_HOME", str(folder))
    monkeypatch.setenv("TRANSFER_STUDIO_LANGUAGE", "en")
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.delenv("TRANSFER_STUDIO_WEIGHTS_MIRROR", raising=False)
    return folder


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Tests run side by side, and threads that wait for each other would only slow them down."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def real_weights() -> Callable[[str], Path]:
    """The file of that name among the real weights; skips where it is not there."""

    def find(name: str) -> Path:
        file = SHARED / "weights" / name
        if not file.exists():
            pytest.skip(f"{name} is not among the real weights; TRANSFER_STUDIO_SHARED says where to look for them")
        return file

    return find


@pytest.fixture
def whole() -> Callable[[str], nn.Module]:
    """Torchvision's network with its classifier and random parameters, in eval mode."""

    def build(name: str) -> nn.Module:
        torch.manual_seed(1)
        info = backbone_info(name)
        return whole_network(info.architecture, info.family, info.minimum_size).eval()

    return build


@pytest.fixture
def saved(tmp_path: Path, whole: Callable[[str], nn.Module]) -> Callable[[str], Path]:
    """A file as torchvision publishes it: the whole network's state dict, random."""

    def save(name: str) -> Path:
        file = tmp_path / f"{name}.pth"
        torch.save(whole(name).state_dict(), file)
        return file

    return save


@pytest.fixture
def lively() -> Callable[[str, int], Backbone]:
    """A random backbone whose features are neither zero nor huge: its BatchNorms know the statistics of random pictures."""

    def build(name: str, size: int) -> Backbone:
        torch.manual_seed(1)
        backbone = build_backbone(backbone_info(name))
        backbone.batch_statistics = True
        for module in backbone.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = 1.0
        with torch.no_grad():
            backbone.train()(backbone.normalise(torch.rand(4, 3, size, size)))
        backbone.batch_statistics = False
        return backbone.eval()

    return build


@pytest.fixture
def starter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A random starter in the real one's place: float16, `features.*` of torchvision's mobilenet_v3_small."""
    torch.manual_seed(1)
    file = tmp_path / "package" / "starter.safetensors"
    file.parent.mkdir()
    network = build_backbone(backbone_info("starter")).network
    save_file(
        {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in network.state_dict().items()}, file
    )
    for module in (catalogue, weights, graph):
        monkeypatch.setattr(module, "STARTER_FILE", file)
    return file

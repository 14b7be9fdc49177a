"""All 80 networks, in a tier of its own (`make test-catalogue`): stages, composition, cuts, folding, another head, keeping."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn
from torchvision import models

from transfer_core.backbones import graph
from transfer_core.backbones.catalogue import BackboneInfo, backbone_info
from transfer_core.backbones.fold import folded
from transfer_core.backbones.graph import LARGEST, Graph, export_features
from transfer_core.backbones.network import Backbone, FromPixels, find_head, outline, smallest_size, whole_network
from transfer_core.errors import BackboneError
from transfer_core.images.view import View
from transfer_core.models.transfer_model import TransferModel

pytestmark = [pytest.mark.catalogue, pytest.mark.timeout(1800)]
NAMES = models.list_models(module=models)


def side(info: BackboneInfo) -> int:
    """As small as the network allows, except where the older exporter's pools want the size the weights were made for."""
    return info.crop if info.family in ("alexnet", "vgg", "inception") else max(96, smallest_size(info))


def torchvisions(info: BackboneInfo) -> tuple[nn.Module, list[Tensor]]:
    """Torchvision's whole network with random parameters and lively statistics, and what its head was given last."""
    torch.manual_seed(1)
    network = whole_network(info.name, info.family, info.minimum_size)
    given: list[Tensor] = []
    network.get_submodule(info.head).register_forward_pre_hook(lambda module, arguments: given.append(arguments[0].detach()))
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    if norms:
        # The norms alone: statistics that are measured while blocks are left out at random are not those of the network.
        network.eval()
        for norm in norms:
            norm.momentum = 1.0
            nn.init.constant_(
                norm.weight, 0.3
            )  # as small as training makes it: else a hundred random blocks amplify every rounding
            norm.train()
        with torch.no_grad():
            network(noise(info))
    return network.eval(), given


def pixels_of(info: BackboneInfo) -> np.ndarray:
    """Random pictures; the network is asked about the first of those that its statistics were measured on.

    With random parameters others would drive it far from them, where any two ways of rounding part.
    """
    return np.random.default_rng(1).integers(0, 256, (8, side(info), side(info), 3), dtype=np.uint8)


def noise(info: BackboneInfo) -> Tensor:
    """The same as the network wants them."""
    pixels = torch.from_numpy(pixels_of(info)).permute(0, 3, 1, 2) / 255
    return (pixels - torch.tensor(info.mean).view(3, 1, 1)) / torch.tensor(info.std).view(3, 1, 1)


def close(found: Tensor, expected: Tensor, tolerance: float) -> bool:
    return bool((found - expected).abs().max() <= tolerance * expected.abs().max().clamp_min(1e-12))


def test_there_are_eighty() -> None:
    assert len(NAMES) == 80


@pytest.mark.parametrize("name", NAMES)
def test_a_network_from_its_stages_to_its_folder(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = backbone_info(name)
    network, given = torchvisions(info)
    pictures = noise(info)[:1]
    with torch.no_grad():
        given.clear()
        network(pictures)
    expected = given[0].mean((2, 3)) if given[0].ndim == 4 else given[0]
    head = find_head(network)
    backbone = outline(info).load({key: t for key, t in network.state_dict().items() if not key.startswith(f"{head}.")})
    del network
    check_stages(backbone)
    with torch.no_grad():
        for boundary in (1, len(backbone.stages) - 1):
            found = backbone.suffix(boundary)(backbone.prefix(boundary)(pictures))
            assert close(found, expected, 1e-5), f"composition at boundary {boundary}"
        # Random networks amplify roundings, the deepest beyond the limits: no two ways of computing agree better than float32 itself.
        exact = backbone.double()(pictures.double()).float()
        rounding = float((backbone.float()(pictures) - exact).abs().max() / exact.abs().max())
        tolerance = max(1e-4, 4 * rounding)
        assert close(folded(backbone, side(info))(pictures), expected, tolerance), "folding"
    model = TransferModel(backbone, ["a", "b", "c"]).eval()
    assert model(pictures).shape == (1, 3)
    weight = sum(tensor.numel() * tensor.element_size() for tensor in backbone.state_dict().values())
    if weight > LARGEST:
        with pytest.raises(BackboneError) as caught:
            export_features(backbone, side(info), tmp_path / "graph.onnx")
        assert caught.value.code == "graph-too-large"
        return
    monkeypatch.setattr(graph, "TOLERANCE", 2 * tolerance)  # its own pictures are other ones
    check_cuts(backbone, side(info), tmp_path / "graph.onnx", tolerance)
    model.view = View(side(info), side(info))
    loaded = TransferModel.load(model.save(tmp_path / "model"))
    with torch.no_grad():
        assert torch.equal(loaded(pictures), model(pictures)), "what is kept comes back to the bit"


def check_stages(backbone: Backbone) -> None:
    names = list(backbone.network.state_dict())
    owners = [[number for number, stage in enumerate(backbone.stages) if stage.holds(name)] for name in names]
    assert all(len(owner) == 1 for owner in owners)
    assert sorted({owner[0] for owner in owners}) == list(range(len(backbone.stages)))
    assert len(backbone.stages) >= 3
    for number in range(len(backbone.stages) + 1):
        assert backbone.freeze(number).boundary == number
    backbone.freeze("none")


def check_cuts(backbone: Backbone, size: int, file: Path, tolerance: float) -> None:
    difference, shapes = export_features(backbone, size, file)
    made = Graph(file, 0.0, difference, size, shapes)
    pixels = pixels_of(backbone.info)[:1]
    with torch.no_grad():
        expected = FromPixels(backbone)(torch.from_numpy(pixels))
    for boundary in (1, made.stages - 1):
        before = run(made.cut(0, boundary), "pixels", pixels)
        after = run(made.cut(boundary, made.stages), made.boundary_name(boundary), before)
        assert close(torch.from_numpy(before), expected[boundary - 1], tolerance), f"before boundary {boundary}"
        assert close(torch.from_numpy(after), expected[-1], tolerance), f"after boundary {boundary}"


def run(content: bytes, name: str, value: np.ndarray) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {name: value})[0])

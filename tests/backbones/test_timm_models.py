"""Networks of timm: described, fetched and frozen like any other, where timm is installed."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from transfer_core.backbones import published, timm_catalogue
from transfer_core.backbones.catalogue import backbone_info, catalogue
from transfer_core.backbones.graph import feature_graph
from transfer_core.backbones.network import build_backbone, load_backbone
from transfer_core.backbones.stages import stages_from
from transfer_core.backbones.timm_models import groups_of, headless
from transfer_core.backbones.weights import fetch
from transfer_core.errors import WeightsError

timm = pytest.importorskip("timm", reason="timm is not installed: pip install timm")

NAME = "timm/test_resnet.r160_in1k"


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The catalogue with two of timm's smallest networks, prepared as all of them are."""
    few = [
        (name, config) for name, config in timm_catalogue.entries() if name in (NAME.removeprefix("timm/"), "test_vit.r160_in1k")
    ]
    assert len(few) == 2
    monkeypatch.setattr(timm_catalogue, "entries", lambda: iter(few))
    assert timm_catalogue.write() == 2


class Hub(BaseHTTPRequestHandler):
    content = b""
    stated = ""

    def do_HEAD(self) -> None:
        self.send_response(302)
        self.send_header("Location", "/elsewhere")
        self.send_header("X-Linked-ETag", f'"{self.stated}"')
        self.end_headers()

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.content)))
        self.send_header("ETag", '"one"')
        self.end_headers()
        self.wfile.write(self.content)

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Hub]]:
    torch.manual_seed(1)
    network = timm.create_model("test_resnet", pretrained=False)
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    Hub.content = (tmp_path / "model.safetensors").read_bytes()
    Hub.stated = hashlib.sha256(Hub.content).hexdigest()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(published, "HUB", f"http://127.0.0.1:{server.server_port}")
    yield Hub
    server.shutdown()


@pytest.mark.usefixtures("listed")
def test_they_join_the_catalogue_with_what_timm_says_of_them() -> None:
    info = backbone_info(NAME)
    assert {name for name in catalogue() if name.startswith("timm/")} == {NAME, "timm/test_vit.r160_in1k"}
    assert info.accuracy is None and info.licence == "apache-2.0" and not info.non_commercial
    assert (info.crop, info.family) == (160, "timm")
    assert info.parameters > 1000 and info.multiply_adds > 0 and info.feature_count > 8


@pytest.mark.usefixtures("listed")
def test_weights_come_from_the_hub_and_their_hash_is_the_stated_one(hub: type[Hub]) -> None:
    kept = fetch(NAME)
    backbone = load_backbone(kept)
    with torch.no_grad():
        assert backbone(torch.randn(1, 3, 160, 160)).shape == (1, backbone.feature_count)
    assert backbone.freeze("last-stage").boundary == len(backbone.stages) - 1 > 0
    assert feature_graph(kept).shapes[-1] == (backbone.feature_count,)


@pytest.mark.usefixtures("listed")
def test_another_file_than_the_stated_one_is_thrown_away(hub: type[Hub]) -> None:
    hub.stated = "0" * 64
    with pytest.raises(WeightsError) as caught:
        fetch(NAME)
    assert caught.value.code == "weights-hash"


@pytest.mark.parametrize("architecture", ["test_resnet", "test_vit", "test_efficientnet", "test_convnext", "test_byobnet"])
def test_stages_compose_to_what_timm_computes(architecture: str) -> None:
    torch.manual_seed(1)
    network = headless(architecture)
    stages = stages_from(groups_of(network), network)
    assert len(stages) >= 3
    side = max(network.pretrained_cfg["input_size"][1:])
    pictures = torch.randn(1, 3, side, side)
    with torch.no_grad():
        found = pictures
        for stage in stages:
            found = stage.run(network, found)
        torch.testing.assert_close(found, network(pictures))
    assert all(sum(stage.holds(name) for stage in stages) == 1 for name in network.state_dict())


@pytest.mark.usefixtures("listed")
def test_what_cannot_be_told_in_stages_is_frozen_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    from transfer_core.backbones import timm_models

    def fails(*_arguments: object) -> object:
        raise ValueError("too many values to unpack")

    monkeypatch.setattr(timm_models, "watched", fails)
    backbone = build_backbone(backbone_info(NAME))
    assert len(backbone.stages) == 1
    assert backbone.freeze("all").boundary == 1 and backbone.freeze("none").boundary == 0

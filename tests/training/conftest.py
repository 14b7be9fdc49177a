"""A run in this process: a small random backbone, drawn pictures, and whatever the run says of itself."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from transfer_core.backbones import catalogue
from transfer_core.backbones.graph import feature_graph
from transfer_core.backbones.network import whole_network
from transfer_core.backbones.weights import KeptWeights, adopt, kept_weights
from transfer_core.data.project import Project
from transfer_core.places import weights_folder
from transfer_core.training.context import Context
from transfer_core.training.execute import execute
from transfer_core.training.settings import RunSettings

BACKBONE = "mobilenet_v3_small"
CROP, RESIZE = 48, 56


def shrunk() -> dict[str, catalogue.BackboneInfo]:
    """The catalogue, with one backbone for pictures so small that a test takes a second."""
    infos = dict(catalogue._read())
    return infos | {BACKBONE: replace(infos[BACKBONE], crop=CROP, resize=RESIZE)}


@pytest.fixture(scope="session")
def prepared_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights folder with random, but lively, parameters and their graph: made once, copied into each test's home."""
    home = tmp_path_factory.mktemp("weights")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRANSFER_STUDIO_HOME", str(home))
        infos = shrunk()
        patch.setattr(catalogue, "_read", lambda: infos)
        torch.manual_seed(1)
        network = whole_network(BACKBONE, infos[BACKBONE].family, 32)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = 1.0
        with torch.no_grad():
            network.train()(torch.randn(8, 3, CROP, CROP))
        torch.save(network.state_dict(), home / "random.pth")
        feature_graph(adopt(BACKBONE, home / "random.pth"))
        return weights_folder()


@pytest.fixture
def kept(prepared_weights: Path, studio_home: Path, monkeypatch: pytest.MonkeyPatch) -> KeptWeights:
    """The small backbone, at hand in this test's home."""
    infos = shrunk()
    monkeypatch.setattr(catalogue, "_read", lambda: infos)
    shutil.copytree(prepared_weights, studio_home / ".studio" / "weights")
    return kept_weights(BACKBONE)[0]


@dataclass
class Ran:
    """A run folder, its project, and what the run announced."""

    folder: Path
    project: Project
    settings: RunSettings
    events: list[dict[str, Any]] = field(default_factory=list)
    asked: int = 0

    @property
    def model(self) -> Path:
        return self.folder / "model"

    def go(self, request: Callable[[Ran], str | None] = lambda _ran: None) -> dict[str, Any]:
        """Carry it out in this process; `request` is asked, as the worker's control folder is, between batches."""

        def requested() -> Any:
            self.asked += 1
            return request(self)

        def emit(event: str, /, **fields: Any) -> None:
            self.events.append({"event": event, **fields})

        return execute(Context(self.folder, self.project, self.settings, emit, requested))

    def told(self, event: str) -> list[dict[str, Any]]:
        return [each for each in self.events if each["event"] == event]


@pytest.fixture
def run(kept: KeptWeights, tmp_path: Path) -> Callable[..., Ran]:
    """`run(data, plan="quick", ...)` is a run over that folder, not yet carried out; a second one needs another `name`."""

    def make(data: Path, name: str = "run", **settings: Any) -> Ran:
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True, exist_ok=True)
        values = {"backbone": BACKBONE, "threads": 1, "device": "cpu"} | settings
        return Ran(folder, Project.for_source(data), RunSettings(**values))

    yield make
    torch.set_num_threads(1)

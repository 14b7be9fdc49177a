"""The package's front door: composed, frozen, kept as a folder and taken up again."""

import doctest
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from transfer_core import TransferModel
from transfer_core.backbones.catalogue import backbone_info
from transfer_core.backbones.network import build_backbone
from transfer_core.errors import BackboneError, ModelError
from transfer_core.models import transfer_model
from transfer_core.models.heads import HEADS, make_head
from transfer_core.models.predict import Predictor

NAME = "squeezenet1_1"


@pytest.fixture(autouse=True)
def at_home(studio_home: Path) -> Path:
    """Weights and graphs go to a home of the test's own."""
    return studio_home


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    files = []
    for number in range(3):
        file = tmp_path / f"{number}.png"
        pixels = np.random.default_rng(number).integers(0, 256, (240, 260, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(file)
        files.append(file)
    return files


def build(target: nn.Module | list[str] | int = 3, adapter: nn.Module | int | None = None) -> TransferModel:
    torch.manual_seed(1)
    model = TransferModel(build_backbone(backbone_info(NAME)), target, adapter)
    with torch.no_grad():
        for parameter in (*model.adapter.parameters(), *model.target.parameters()):
            parameter.copy_(torch.randn(parameter.shape) * 0.1)
    return model.eval()


class Halves(nn.Module):
    """A target of the user's own."""

    def __init__(self) -> None:
        super().__init__()
        self.line = nn.Linear(512, 2)

    def forward(self, features: Tensor) -> Tensor:
        logits: Tensor = self.line(features.tanh())
        return logits


def test_the_example_in_the_docstring_runs() -> None:
    result = doctest.testmod(transfer_model)
    assert result.attempted > 8
    assert result.failed == 0


def test_source_adapter_and_target_in_this_order() -> None:
    backbone = build_backbone(backbone_info(NAME)).eval()
    adapter, target = nn.Linear(512, 8), nn.Sequential(nn.ReLU(), nn.Linear(8, 3))
    model = TransferModel(backbone, target, adapter)
    pixels = torch.randn(2, 3, 64, 64)
    assert model.features(pixels).shape == (2, 8)
    torch.testing.assert_close(model(pixels), target(adapter(backbone(pixels))))


def test_what_learns_is_what_is_not_frozen() -> None:
    model = TransferModel(build_backbone(backbone_info(NAME)), 4).freeze("all").train()
    assert not any(module.training for module in model.source.network.modules())
    head = model.parameters_to_train()
    assert [tuple(parameter.shape) for parameter in head] == [(4, 512), (4,)]
    model(torch.randn(2, 3, 64, 64)).sum().backward()
    assert all(parameter.grad is not None for parameter in head)
    assert all(parameter.grad is None for parameter in model.source.parameters())
    assert len(model.freeze("none").parameters_to_train()) == len(list(model.parameters()))
    with pytest.raises(BackboneError):
        model.freeze("stage77")


@pytest.mark.parametrize("kind", list(HEADS))
@pytest.mark.parametrize("adapter", [None, 16])
def test_a_folder_answers_as_the_model_did(kind: str, adapter: int | None, pictures: list[Path], tmp_path: Path) -> None:
    """In torch, after loading, and from the exported graph: one answer."""
    model = build(make_head(kind, adapter or 512, 3), adapter)
    model.temperature = 0.7
    model.refuse(torch.rand(20, adapter or 512), torch.arange(20) % 3)
    folder = model.save(tmp_path / "model", classes=["a", "b", "c"])
    said = [answer.as_data() for answer in model.predict(pictures)]
    again = [answer.as_data() for answer in TransferModel.load(folder).predict(pictures)]
    graph = [answer.as_data() for answer in Predictor(folder, threads=1).predict(pictures)]
    assert said == again
    for one, two in zip(said, graph, strict=True):
        assert one["class"] == two["class"] and one["refused"] == two["refused"]
        assert one["confidence"] == pytest.approx(two["confidence"], abs=1e-4)
    assert {name for answer in said for name, _probability in answer["top"]} == {"a", "b", "c"}


def test_modules_of_the_users_own_come_back_only_when_they_are_given_again(pictures: list[Path], tmp_path: Path) -> None:
    """A file names no code: what it holds of an own module are numbers."""
    model = build(Halves())
    folder = model.save(tmp_path / "model", classes=["left", "right"])
    with pytest.raises(ModelError) as caught:
        TransferModel.load(folder)
    assert caught.value.code == "own-module" and "target" in caught.value.message
    loaded = TransferModel.load(folder, target=Halves())
    assert [answer.as_data() for answer in loaded.predict(pictures)] == [answer.as_data() for answer in model.predict(pictures)]
    answered = list(Predictor(folder, threads=1).predict(pictures))
    assert [answer.label for answer in answered] == [answer.label for answer in model.predict(pictures)]
    with pytest.raises(ModelError) as caught:
        TransferModel.load(folder, target=nn.Linear(512, 2))
    assert caught.value.code == "parameters-mismatch"


def test_a_network_of_the_users_own_is_a_source(tmp_path: Path) -> None:
    def network() -> nn.Module:
        torch.manual_seed(3)
        return nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 16, 3, 2, 1))

    from transfer_core.backbones.unknown import own_backbone

    model = TransferModel(own_backbone(network(), size=32), ["a", "b"]).freeze("last-stage")
    folder = model.save(tmp_path / "model")
    with pytest.raises(ModelError, match="source"):
        TransferModel.load(folder)
    loaded = TransferModel.load(folder, source=own_backbone(network(), size=32))
    pixels = torch.randn(1, 3, 32, 32)
    torch.testing.assert_close(loaded(pixels), model.eval()(pixels))


def test_the_names_have_to_be_as_many_as_the_classes(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        build(3).save(tmp_path / "model", classes=["a", "b"])
    assert caught.value.code == "class-names"
    assert not (tmp_path / "model").exists()


def test_saving_leaves_the_model_as_it_was(tmp_path: Path) -> None:
    model = build(["a", "b"]).freeze("last-stage").train()
    modes = [module.training for module in model.modules()]
    learns = [parameter.requires_grad for parameter in model.parameters()]
    model.save(tmp_path / "model")
    assert [module.training for module in model.modules()] == modes
    assert [parameter.requires_grad for parameter in model.parameters()] == learns


def test_damaged_parameters_are_a_sentence(tmp_path: Path) -> None:
    folder = build(["a", "b"]).save(tmp_path / "model")
    (folder / "model.safetensors").write_bytes(b"no parameters")
    with pytest.raises(ModelError) as caught:
        TransferModel.load(folder)
    assert caught.value.code == "broken-model"


def test_a_bad_picture_is_an_answer(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no picture")
    answer = next(build(["a", "b"]).predict([tmp_path / "text.jpg"]))
    assert answer.error and answer.label is None


def test_a_state_dict_goes_back_in() -> None:
    """Also without the version numbers that safetensors has no place for, which MNASNet's own class insists on."""
    info = backbone_info("mnasnet0_5")
    first, second = (TransferModel(build_backbone(info), 2).eval() for _ in range(2))
    second.load_state_dict({name: tensor.clone() for name, tensor in first.state_dict().items()})
    pixels = torch.randn(1, 3, 64, 64)
    torch.testing.assert_close(first(pixels), second(pixels))


def test_a_source_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def load(name: str) -> object:
        asked.append(name)
        return build_backbone(backbone_info(name))

    monkeypatch.setattr(transfer_model, "obtain", lambda name: name)
    monkeypatch.setattr(transfer_model, "load_backbone", load)
    assert TransferModel(NAME, 2).eval()(torch.randn(1, 3, 64, 64)).shape == (1, 2)
    assert asked == [NAME]

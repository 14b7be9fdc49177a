"""The layout of memory is measured once for a card, a family and a precision, and kept."""

from __future__ import annotations

import json

import pytest
import torch

from transfer_core.backbones.catalogue import backbone_info
from transfer_core.backbones.network import build_backbone
from transfer_core.models.transfer_model import TransferModel
from transfer_core.places import own_folder
from transfer_core.training import layout

INFO = backbone_info("squeezenet1_1")


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, torch.dtype]]:
    asked: list[tuple[str, torch.dtype]] = []

    def faster(info, device, precision) -> str:
        asked.append((info.family, precision))
        return "contiguous_format"

    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "A card")
    monkeypatch.setattr(layout, "faster_layout", faster)
    return asked


def test_measured_once_for_each_family_and_precision(measured) -> None:
    for precision in ("bfloat16", "bfloat16", "float32"):
        assert layout.choose_layout(INFO, precision) == "contiguous_format"
    layout.choose_layout(backbone_info("resnet18"), "bfloat16")
    assert measured == [("squeezenet", torch.bfloat16), ("squeezenet", torch.float32), ("resnet", torch.bfloat16)]


@pytest.mark.parametrize("damaged", ["", "[]", json.dumps({"A card, squeezenet, float32": "diagonal"})])
def test_what_is_damaged_is_measured_again(measured, damaged: str) -> None:
    file = own_folder("measured") / "layouts.json"
    file.write_text(damaged, encoding="utf-8")
    assert layout.choose_layout(INFO, "float32") == "contiguous_format"
    assert json.loads(file.read_text(encoding="utf-8")) == {"A card, squeezenet, float32": "contiguous_format"}


def test_a_card_that_is_full_is_asked_again_another_time(measured, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_given) -> str:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(layout, "faster_layout", full)
    assert layout.choose_layout(INFO, "float32") == "channels_last"
    assert not (own_folder("measured") / "layouts.json").exists()


def test_the_faster_one_is_told_by_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"BATCH": 1, "WARM": 0, "STEPS": 1, "ROUNDS": 1}.items():
        monkeypatch.setattr(layout, name, value)
    cpu = torch.device("cpu")
    for seconds, faster in (((0, 2, 2, 3), "contiguous_format"), ((0, 1, 1, 3), "channels_last")):
        clock = iter(seconds)
        with monkeypatch.context() as patch:
            patch.setattr(layout.time, "perf_counter", lambda: next(clock))  # noqa: B023
            assert layout.faster_layout(INFO, cpu, torch.float32) == faster


@pytest.mark.parametrize("name", layout.LAYOUTS)
def test_parameters_and_what_they_are_given_are_brought_to_it(name: str) -> None:
    model = layout.arranged(TransferModel(build_backbone(INFO), 2), name)
    assert model.layout is getattr(torch, name)
    convolution = next(parameter for parameter in model.parameters() if parameter.ndim == 4 and parameter.shape[2] > 1)
    assert convolution.is_contiguous(memory_format=model.layout)

"""A file is looked at before anything runs: which backbone it fits, how well, and why not; and `adopt` agrees."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from transfer_core.backbones import catalogue
from transfer_core.backbones.catalogue import backbone_info
from transfer_core.backbones.inspection import inspect_weights
from transfer_core.backbones.network import build_backbone
from transfer_core.backbones.weights import adopt, kept_weights
from transfer_core.errors import BackboneError, WeightsError

Whole = Callable[[str], nn.Module]


def save(state: dict[str, Any], file: Path) -> Path:
    torch.save(state, file)
    return file


def test_a_whole_file_fits_and_nothing_is_kept(saved: Callable[[str], Path]) -> None:
    file = saved("squeezenet1_1")
    found = inspect_weights(file, "squeezenet1_1")
    assert found.usable and found.problem is None and found.match
    assert (found.backbone, found.published_as, found.file) == ("squeezenet1_1", None, file)
    assert found.digest == hashlib.sha256(file.read_bytes()).hexdigest()
    assert found.match.left_over == ["classifier.1.weight", "classifier.1.bias"]
    assert found.parameters == backbone_info("squeezenet1_1").parameters - 513_000
    assert kept_weights("squeezenet1_1") == []


def test_the_backbone_is_guessed(saved: Callable[[str], Path]) -> None:
    found = inspect_weights(saved("mobilenet_v3_small"))
    assert (found.backbone, found.usable) == ("mobilenet_v3_small", True)


def test_a_published_file_is_known_by_its_hash(saved: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Two published files of one network can't be told apart by names and shapes."""
    file = saved("mobilenet_v2")
    known = dict(catalogue._read())
    name = f"mobilenet_v2-{hashlib.sha256(file.read_bytes()).hexdigest()[:8]}.pth"
    known["mobilenet_v2.IMAGENET1K_V1"] = replace(known["mobilenet_v2.IMAGENET1K_V1"], weights_file=name)
    monkeypatch.setattr(catalogue, "_read", lambda: known)
    found = inspect_weights(file)
    assert found.backbone == found.published_as == "mobilenet_v2.IMAGENET1K_V1"
    asked = inspect_weights(file, "mobilenet_v2")
    assert (asked.backbone, asked.published_as, asked.usable) == ("mobilenet_v2", "mobilenet_v2.IMAGENET1K_V1", True)


def test_real_weights_are_recognised(real_weights: Callable[[str], Path]) -> None:
    for name in ("mobilenet_v2", "squeezenet1_1"):
        found = inspect_weights(real_weights(f"{name}-imagenet.pth"))
        assert (found.backbone, found.usable) == (name, True)


def test_another_backbones_file_is_told_with_what_differs(saved: Callable[[str], Path]) -> None:
    found = inspect_weights(saved("squeezenet1_0"), "squeezenet1_1")
    assert not found.usable and found.problem and found.match
    assert found.problem.code == "weights-mismatch"
    assert "It fits squeezenet1_0" in (found.problem.fix or "")
    assert found.match.other_shape and found.match.missing


def test_a_deeper_network_is_refused(saved: Callable[[str], Path]) -> None:
    """resnet34 has all that resnet18 has, and more of it."""
    file = saved("resnet34")
    found = inspect_weights(file, "resnet18")
    assert found.problem and "left over" in found.problem.message
    assert "It fits resnet34" in (found.problem.fix or "")
    with pytest.raises(WeightsError, match="does not fit resnet18"):
        adopt("resnet18", file)


def test_a_file_of_no_backbone_is_told(tmp_path: Path) -> None:
    found = inspect_weights(save({"encoder.weight": torch.zeros(2, 3)}, tmp_path / "own.pth"))
    assert (found.backbone, found.match, found.parameters, found.usable) == (None, None, 6, False)
    assert found.problem and found.problem.code == "weights-mismatch" and "transfer-studio backbones" in (found.problem.fix or "")


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: {f"module.{name}": tensor for name, tensor in state.items()},
        lambda state: {"state_dict": {f"model.backbone.{name}": tensor for name, tensor in state.items()}, "epoch": 3},
        lambda state: {"model": {f"_orig_mod.module.{name}": tensor for name, tensor in state.items()}},
        lambda state: state | {"projector.0.weight": torch.zeros(4, 4), "queue": torch.zeros(2)},
    ],
)
def test_foreign_files_are_adopted_as_they_were_inspected(
    wrap: Callable[[dict[str, Any]], dict[str, Any]], tmp_path: Path, whole: Whole
) -> None:
    state = whole("squeezenet1_1").state_dict()
    file = save(wrap(dict(state)), tmp_path / "foreign.pth")
    assert inspect_weights(file).backbone == "squeezenet1_1"
    kept = load_file(adopt("squeezenet1_1", file).file)
    assert kept.keys() == {name for name in state if not name.startswith("classifier.")}
    assert all(torch.equal(tensor, state[name]) for name, tensor in kept.items())


@pytest.mark.parametrize("name", ["starter", "squeezenet1_1"])
def test_a_model_folder_of_ours_is_a_file_of_weights(name: str, tmp_path: Path) -> None:
    network = build_backbone(backbone_info(name)).network
    folder = tmp_path / "model"
    folder.mkdir()
    tensors = {f"backbone.{key}": tensor for key, tensor in network.state_dict().items()}
    heads = {"head.weight": torch.zeros(3, 8), "head.bias": torch.zeros(3), "refusal.reference": torch.zeros(9, 8)}
    save_file(tensors | heads, folder / "model.safetensors")
    for file in (folder, folder / "model.safetensors"):
        found = inspect_weights(file)
        assert (found.backbone, found.usable, found.file) == (name, True, folder / "model.safetensors")
        assert found.match and sorted(found.match.left_over) == sorted(heads)
    kept = adopt(name, folder)
    assert kept.source == "model"
    assert adopt(name, folder / "model.safetensors") == kept
    assert load_file(kept.file).keys() == network.state_dict().keys()


def test_values_that_are_no_numbers_forbid_use_in_the_backbone_alone(tmp_path: Path, whole: Whole) -> None:
    """The head is left off, whatever it holds."""
    state = whole("squeezenet1_1").state_dict()
    state["classifier.1.bias"][0] = float("nan")
    assert inspect_weights(save(state, tmp_path / "head.pth")).usable
    state["features.0.bias"][0] = float("nan")
    found = inspect_weights(save(state, tmp_path / "body.pth"))
    assert found.problem and found.problem.code == "weights-not-finite"


def test_weights_without_a_classifier_are_used_without_it(tmp_path: Path, whole: Whole) -> None:
    """torchvision's file of VGG16 for detectors has NaN where the classifier is."""
    state = {
        name: torch.full_like(tensor, float("nan")) if name.startswith("classifier.") else tensor
        for name, tensor in whole("vgg16").state_dict().items()
    }
    file = save(state, tmp_path / "features.pth")
    assert inspect_weights(file, "vgg16.IMAGENET1K_FEATURES").usable
    assert not inspect_weights(file, "vgg16").usable


def test_what_can_not_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "page.pth").write_bytes(b"<html>")
    for file, code in ((tmp_path / "none.pth", "weights-missing"), (tmp_path / "page.pth", "weights-not-a-state-dict")):
        with pytest.raises(WeightsError) as caught:
            inspect_weights(file)
        assert caught.value.code == code
    with pytest.raises(BackboneError):
        inspect_weights(tmp_path / "page.pth", "resnet19")


def test_an_inspection_as_data(saved: Callable[[str], Path]) -> None:
    data = inspect_weights(saved("squeezenet1_1"), "squeezenet1_0").as_data()
    assert data.keys() == {"file", "digest", "backbone", "published_as", "match", "parameters", "usable", "problem"}
    assert data["match"].keys() == {"matched", "missing", "left_over", "other_shape"}
    assert data["problem"]["code"] == "weights-mismatch"


class Hostile:
    """What a poisoned file holds: reading it carelessly makes a folder."""

    def __init__(self, marker: Path):
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.marker),)


def test_looking_at_a_hostile_file_runs_nothing(tmp_path: Path) -> None:
    file = save({"features.0.weight": Hostile(tmp_path / "marker")}, tmp_path / "hostile.pth")
    with pytest.raises(WeightsError) as caught:
        inspect_weights(file)
    assert caught.value.code == "weights-unsafe"
    assert not (tmp_path / "marker").exists()

import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from transfer_core.backbones.state_dict import RENAMED, read_state_dict
from transfer_core.backbones.weights import adopt, kept_weights
from transfer_core.errors import WeightsError


class Hostile:
    """What a poisoned file holds: reading it carelessly makes a folder."""

    def __init__(self, marker: Path):
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.marker),)


def refusal(file: Path, backbone: str = "squeezenet1_1") -> WeightsError:
    with pytest.raises(WeightsError) as caught:
        adopt(backbone, file)
    assert caught.value.file and file.name in caught.value.file
    assert caught.value.fix
    assert not kept_weights("squeezenet1_1")
    return caught.value


@pytest.mark.parametrize("protocol", ["zip", "legacy", 2, 4])
def test_a_hostile_pickle_is_refused_and_does_nothing(protocol: str | int, tmp_path: Path) -> None:
    file, marker = tmp_path / "hostile.pth", tmp_path / "marker"
    content = {"features.0.weight": Hostile(marker)}
    if isinstance(protocol, int):
        file.write_bytes(pickle.dumps(content, protocol))
    else:
        torch.save(content, file, _use_new_zipfile_serialization=protocol == "zip")
    error = refusal(file)
    assert error.code == "weights-unsafe"
    assert "would run code" in error.message
    assert not marker.exists()


def test_the_environment_cannot_make_reading_unsafe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    torch.save({"a": Hostile(tmp_path / "marker")}, tmp_path / "hostile.pt")
    assert refusal(tmp_path / "hostile.pt").code == "weights-unsafe"
    assert not (tmp_path / "marker").exists()


def test_a_pickled_network_is_refused_with_what_to_ask_for(tmp_path: Path, whole: Callable[[str], nn.Module]) -> None:
    file = tmp_path / "network.pt"
    torch.save(whole("squeezenet1_1"), file)
    error = refusal(file)
    assert error.code == "weights-unsafe"
    assert "state_dict()" in (error.fix or "")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.99])
@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
def test_a_file_that_was_cut_short_is_called_broken(
    kind: str, share: float, tmp_path: Path, whole: Callable[[str], nn.Module]
) -> None:
    state = whole("squeezenet1_1").state_dict()
    file = tmp_path / ("cut.safetensors" if kind == "safetensors" else "cut.pth")
    if kind == "safetensors":
        save_file(state, file)
    else:
        torch.save(state, file, _use_new_zipfile_serialization=kind == "zip")
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * share)])
    error = refusal(file)
    assert error.code == "weights-truncated"


def test_the_truncated_real_file_is_called_broken(real_weights: Callable[[str], Path]) -> None:
    error = refusal(real_weights("resnet18-f37072fd.truncated.pth"), "resnet18")
    assert error.code == "weights-truncated"


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 14212972\n", "Git LFS"),
        (b"\n<!DOCTYPE html>\n<html><body>Not found</body></html>", "web page"),
        (b"<html>", "web page"),
        (b"name,value\na,1\n", "named tensors"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 100, "named tensors"),
    ],
)
def test_what_is_no_weights_at_all_is_told_by_name(content: bytes, word: str, tmp_path: Path) -> None:
    file = tmp_path / "weights.pth"
    file.write_bytes(content)
    error = refusal(file)
    assert error.code == "weights-not-a-state-dict"
    assert word in error.message


@pytest.mark.parametrize("content", [[1, 2], {}, {"a": 1}, {"a": "text"}, torch.zeros(3), {1: torch.zeros(1)}])
def test_other_contents_are_no_state_dict(content: Any, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "other.pth")
    assert refusal(tmp_path / "other.pth").code == "weights-not-a-state-dict"


def test_sparse_tensors_are_no_state_dict(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(2, 2).to_sparse()}, tmp_path / "sparse.pth")
    assert refusal(tmp_path / "sparse.pth").code == "weights-not-a-state-dict"


def test_programs_and_packed_archives_are_refused(tmp_path: Path) -> None:
    for name, compression in (("archive/constants.pkl", zipfile.ZIP_STORED), ("archive/data.pkl", zipfile.ZIP_DEFLATED)):
        file = tmp_path / "program.pt"
        with zipfile.ZipFile(file, "w", compression) as archive:
            archive.writestr(name, b"\x80\x02}q\x00." * 100)
        assert refusal(file).code == "weights-not-a-state-dict"


def test_a_missing_file_and_a_folder_are_told_of(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing.pth", tmp_path):
        assert refusal(path).code == "weights-missing"


def test_another_architecture_is_named(saved: Callable[[str], Path]) -> None:
    error = refusal(saved("mobilenet_v3_small"))
    assert error.code == "weights-mismatch"
    assert "missing" in error.message
    assert "left over" in error.message
    assert "It fits mobilenet_v3_small" in (error.fix or "")


def test_another_architecture_is_named_without_its_classifier(saved: Callable[[str], Path], tmp_path: Path) -> None:
    kept = adopt("squeezenet1_0", saved("squeezenet1_0"))
    error = refusal(kept.file)
    assert "It fits squeezenet1_0" in (error.fix or "")


def test_other_shapes_are_told(tmp_path: Path, whole: Callable[[str], nn.Module]) -> None:
    state = whole("squeezenet1_1").state_dict()
    state["features.0.weight"] = torch.zeros(64, 1, 3, 3)
    torch.save(state, tmp_path / "grey.pth")
    error = refusal(tmp_path / "grey.pth")
    assert error.code == "weights-mismatch"
    assert "64 x 1 x 3 x 3 instead of 64 x 3 x 3 x 3" in error.message
    assert "another shape" in error.message


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_no_numbers_are_refused(value: float, tmp_path: Path, whole: Callable[[str], nn.Module]) -> None:
    state = whole("squeezenet1_1").state_dict()
    state["features.0.bias"][3] = value
    torch.save(state, tmp_path / "failed.pth")
    error = refusal(tmp_path / "failed.pth")
    assert error.code == "weights-not-finite"
    assert "features.0.bias" in error.message


@pytest.mark.parametrize(
    "form", ["plain", "state_dict", "model", "module.", "parameters", "float16", "legacy", "no counters", "7 classes"]
)
def test_the_usual_ways_to_save_are_all_read(form: str, tmp_path: Path, whole: Callable[[str], nn.Module]) -> None:
    network = whole("mobilenet_v3_small")
    state: dict[str, Any] = dict(network.state_dict())
    saved: Any = state
    if form in ("state_dict", "model"):
        saved = {form: state, "epoch": 3}
    elif form == "module.":
        saved = {f"module.{name}": tensor for name, tensor in state.items()}
    elif form == "parameters":
        saved = state | dict(network.named_parameters())
    elif form == "float16":
        saved = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in state.items()}
    elif form == "no counters":
        saved = {name: tensor for name, tensor in state.items() if "num_batches_tracked" not in name}
    elif form == "7 classes":
        saved = state | {"classifier.3.weight": torch.zeros(7, 1024), "classifier.3.bias": torch.zeros(7)}
    file = tmp_path / "weights.pth"
    torch.save(saved, file, _use_new_zipfile_serialization=form != "legacy")
    kept = load_file(adopt("mobilenet_v3_small", file).file)
    assert set(kept) == {name for name in state if not name.startswith("classifier.3")}
    for name, tensor in kept.items():
        assert tensor.dtype == state[name].dtype
        torch.testing.assert_close(
            tensor, state[name], rtol=1e-3 if form == "float16" else 0, atol=1e-4 if form == "float16" else 0
        )


def test_a_head_built_otherwise_is_left_off(tmp_path: Path, whole: Callable[[str], nn.Module]) -> None:
    state = {name: tensor for name, tensor in whole("mobilenet_v2").state_dict().items() if not name.startswith("classifier.")}
    torch.save(state | {"classifier.weight": torch.zeros(5, 1280)}, tmp_path / "own.pth")
    assert load_file(adopt("mobilenet_v2", tmp_path / "own.pth").file).keys() == state.keys()


def test_safetensors_are_read_under_any_name(tmp_path: Path, whole: Callable[[str], nn.Module]) -> None:
    state = whole("squeezenet1_1").state_dict()
    save_file(state, tmp_path / "weights.bin")
    assert read_state_dict(tmp_path / "weights.bin").keys() == state.keys()


def test_auxiliary_heads_are_left_off(tmp_path: Path, whole: Callable[[str], nn.Module]) -> None:
    state = whole("googlenet").state_dict()
    torch.save(state | {"aux1.fc1.weight": torch.zeros(2, 2), "aux2.fc2.bias": torch.zeros(3)}, tmp_path / "googlenet.pth")
    kept = load_file(adopt("googlenet", tmp_path / "googlenet.pth").file)
    assert not any(name.startswith(("aux", "fc.")) for name in kept)


def test_names_of_published_files_become_the_present_ones() -> None:
    old = {
        "features.denseblock1.denselayer2.norm.1.weight": "features.denseblock1.denselayer2.norm1.weight",
        "features.denseblock1.denselayer12.conv.2.weight": "features.denseblock1.denselayer12.conv2.weight",
        "encoder.layers.encoder_layer_3.mlp.linear_1.weight": "encoder.layers.encoder_layer_3.mlp.0.weight",
        "encoder.layers.encoder_layer_3.mlp.linear_2.bias": "encoder.layers.encoder_layer_3.mlp.3.bias",
        "features.7.1.mlp.0.weight": "features.7.1.mlp.0.weight",
    }
    for name, present in old.items():
        for pattern, replacement in RENAMED:
            name = pattern.sub(replacement, name)
        assert name == present

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from transfer_core.backbones import catalogue, graph
from transfer_core.backbones.catalogue import backbone_info
from transfer_core.backbones.graph import Graph, export_features, feature_graph
from transfer_core.backbones.network import Backbone, FromPixels, build_backbone, smallest_size
from transfer_core.backbones.weights import adopt, kept_weights
from transfer_core.errors import BackboneError

LIGHT = ["mobilenet_v2", "mobilenet_v3_small", "regnet_y_400mf", "resnet18", "squeezenet1_1"]
HEAVY = [
    "alexnet",
    "convnext_tiny",
    "densenet121",
    "efficientnet_b0",
    "googlenet",
    "inception_v3",
    "maxvit_t",
    "mnasnet0_5",
    "shufflenet_v2_x0_5",
    "swin_t",
    "swin_v2_t",
    "vgg11_bn",
    "vit_b_32",
]


def run(file: Path | bytes, pixels: np.ndarray, name: str = "pixels") -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    features: np.ndarray = session.run(None, {name: pixels})[0]
    return features


def _check(backbone: Backbone, size: int, file: Path) -> None:
    difference, _shapes = export_features(backbone, size, file)
    pixels = np.random.default_rng(1).integers(0, 256, (5, size, size, 3), dtype=np.uint8)
    with torch.no_grad():
        expected = backbone(backbone.normalise(torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255)).numpy()
    assert np.abs(expected).max() > 0.01, "features that are all zero would agree with anything"
    limit = 1e-4 * max(1.0, float(np.abs(expected).max()))
    assert 0 <= difference <= limit
    for count in (1, 5):
        features = run(file, pixels[:count])
        assert features.shape == (count, backbone.feature_count)
        assert features.dtype == np.float32
        assert np.abs(features - expected[:count]).max() <= 2 * limit


def side(name: str) -> int:
    """A picture small enough to be quick, and large enough for the network and for the older exporter's pools."""
    info = backbone_info(name)
    return info.crop if info.family in ("alexnet", "vgg", "inception") else max(96, smallest_size(info))


def check_cuts(backbone: Backbone, size: int, file: Path) -> None:
    """At every boundary, what comes before and after it as graphs of their own agrees with torch to 1e-4."""
    difference, shapes = export_features(backbone, size, file)
    made = Graph(file, 0.0, difference, size, shapes)
    assert made.stages == len(backbone.stages)
    pixels = np.random.default_rng(1).integers(0, 256, (3, size, size, 3), dtype=np.uint8)
    with torch.no_grad():
        expected = [activation.numpy() for activation in FromPixels(backbone)(torch.from_numpy(pixels))]
    for boundary in range(1, made.stages):
        before = run(made.cut(0, boundary), pixels)
        after = run(made.cut(boundary, made.stages), before, made.boundary_name(boundary))
        assert before.shape == (3, *shapes[boundary])
        for found, right in ((before, expected[boundary - 1]), (after, expected[-1])):
            assert np.abs(found - right).max() <= 1e-4 * max(1.0, float(np.abs(right).max())), f"boundary {boundary}"


@pytest.mark.parametrize("name", LIGHT)
def test_the_graph_is_cut_at_every_boundary(name: str, lively: Callable[[str, int], Backbone], tmp_path: Path) -> None:
    check_cuts(lively(name, side(name)), side(name), tmp_path / "graph.onnx")


@pytest.mark.slow
@pytest.mark.parametrize("name", HEAVY)
def test_the_graph_of_every_family_is_cut_at_every_boundary(
    name: str, lively: Callable[[str, int], Backbone], tmp_path: Path
) -> None:
    check_cuts(lively(name, side(name)), side(name), tmp_path / "graph.onnx")


def test_a_cut_that_is_not_there_is_refused(lively: Callable[[str, int], Backbone], tmp_path: Path) -> None:
    _difference, shapes = export_features(lively("squeezenet1_1", 64), 64, tmp_path / "graph.onnx")
    made = Graph(tmp_path / "graph.onnx", 0.0, 0.0, 64, shapes)
    for first, last in ((0, 5), (2, 2), (3, 1), (-1, 2)):
        with pytest.raises(ValueError, match="0 to 4"):
            made.cut(first, last)


@pytest.mark.parametrize("name", LIGHT)
def test_the_graph_gives_torchs_features(name: str, lively: Callable[[str, int], Backbone], tmp_path: Path) -> None:
    file = tmp_path / "graph.onnx"
    _check(lively(name, 96), 96, file)
    assert "BatchNormalization" not in {node.op_type for node in onnx.load(file).graph.node}, "it is folded into convolutions"


@pytest.mark.slow
@pytest.mark.parametrize("name", HEAVY)
def test_the_graph_of_every_family_gives_torchs_features(
    name: str, lively: Callable[[str, int], Backbone], tmp_path: Path
) -> None:
    size = side(name)
    _check(lively(name, size), size, tmp_path / "graph.onnx")


@pytest.mark.slow
def test_the_newer_exporter_takes_over(
    lively: Callable[[str, int], Backbone], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxscript", reason="torch's newer exporter needs onnxscript")

    def gone(*_arguments: object) -> bytes:
        raise TypeError("unexpected keyword argument 'dynamo'")

    monkeypatch.setattr(graph, "_by_tracing", gone)
    _check(lively("mobilenet_v3_small", 64), 64, tmp_path / "graph.onnx")


def test_a_graph_is_made_once_and_found_without_torch(saved: Callable[[str], Path]) -> None:
    kept = adopt("squeezenet1_1", saved("squeezenet1_1"))
    told = list[tuple[int, int]]()
    made = feature_graph(kept, lambda done, total: told.append((done, total)), size=64)
    assert made.file == kept.file.with_name(f"{kept.stem}-64.onnx")
    assert (made.size, made.input_name, made.output_name) == (64, "pixels", "features")
    assert made.seconds > 0
    assert told == [(0, 2), (1, 2), (2, 2)]
    changed = made.file.stat().st_mtime_ns
    code = (
        "import sys; from transfer_core.backbones.weights import kept_weights; "
        "from transfer_core.backbones.graph import feature_graph; "
        "print(feature_graph(kept_weights('squeezenet1_1')[0], size=64).difference, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(made.difference), "False"]
    assert made.file.stat().st_mtime_ns == changed


def test_an_altered_graph_is_made_again(saved: Callable[[str], Path]) -> None:
    kept = adopt("squeezenet1_1", saved("squeezenet1_1"))
    file = feature_graph(kept, size=64).file
    content = file.read_bytes()
    file.write_bytes(content[:-100])
    assert feature_graph(kept, size=64).file.read_bytes()[:100] == content[:100]
    assert run(file, np.zeros((1, 64, 64, 3), np.uint8)).shape == (1, 512)


def test_a_training_backbone_goes_on_training(tmp_path: Path) -> None:
    backbone = build_backbone(backbone_info("squeezenet1_1")).freeze("last-stage").train()
    modes = [module.training for module in backbone.modules()]
    export_features(backbone, 64, tmp_path / "graph.onnx")
    assert [module.training for module in backbone.modules()] == modes
    assert any(parameter.requires_grad for parameter in backbone.parameters())


def test_a_graph_that_differs_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "TOLERANCE", -1.0)
    with pytest.raises(BackboneError) as caught:
        export_features(build_backbone(backbone_info("squeezenet1_1")), 64, tmp_path / "graph.onnx")
    assert caught.value.code == "graph-differs"
    assert not list(tmp_path.glob("*.onnx*"))


def test_features_that_are_no_numbers_are_not_written(tmp_path: Path) -> None:
    backbone = build_backbone(backbone_info("squeezenet1_1"))
    with torch.no_grad():
        next(backbone.parameters()).fill_(float("nan"))
    with pytest.raises(BackboneError) as caught:
        export_features(backbone, 64, tmp_path / "graph.onnx")
    assert caught.value.code == "graph-differs"


def test_exporters_that_both_fail_are_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_arguments: object) -> bytes:
        raise RuntimeError("no such operator\nand a long trace")

    monkeypatch.setattr(graph, "_by_tracing", fails)
    monkeypatch.setattr(graph, "_by_capturing", fails)
    with pytest.raises(BackboneError, match="no such operator") as caught:
        export_features(build_backbone(backbone_info("squeezenet1_1")), 64, tmp_path / "graph.onnx")
    assert caught.value.code == "graph-failed"
    assert "long trace" not in caught.value.message


def test_weights_beyond_one_file_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "LARGEST", 1000)
    with pytest.raises(BackboneError) as caught:
        export_features(build_backbone(backbone_info("squeezenet1_1")), 64, tmp_path / "graph.onnx")
    assert caught.value.code == "graph-too-large"


def test_a_size_that_cannot_be_is_refused(saved: Callable[[str], Path]) -> None:
    kept = adopt("squeezenet1_1", saved("squeezenet1_1"))
    with pytest.raises(BackboneError) as caught:
        feature_graph(kept, size=8)
    assert caught.value.code == "size-not-possible"


def test_the_starters_graph_comes_with_the_program(starter: Path) -> None:
    kept = kept_weights("starter")[0]
    graph.main(["starter"])
    packaged = feature_graph(kept)
    assert packaged.file == starter.with_suffix(".onnx")
    assert run(packaged.file, np.zeros((2, 224, 224, 3), np.uint8)).shape == (2, 576)
    other_size = feature_graph(kept, size=64)
    assert other_size.file.parent != starter.parent, "an installed package may not be written to"
    assert sum(file.stat().st_size for file in starter.parent.iterdir()) <= 6e6


def test_the_packaged_starter_is_small_and_its_graph_fits_it() -> None:
    if not catalogue.STARTER_FILE.exists():
        pytest.skip("the starter has not been made yet: python -m transfer_core.backbones.starter.recipe")
    folder = catalogue.STARTER_FILE.parent
    assert sum(file.stat().st_size for file in folder.rglob("*") if file.is_file() and file.suffix != ".pyc") <= 6e6
    found = feature_graph(kept_weights("starter")[0])
    assert found.file == folder / "starter.onnx", "stale: python -m transfer_core.backbones.graph starter makes it anew"
    assert found.difference <= 1e-4


@pytest.mark.parametrize("name", ["mobilenet_v2", "squeezenet1_1"])
def test_real_weights_agree_to_a_ten_thousandth(name: str, real_weights: Callable[[str], Path]) -> None:
    made: Graph = feature_graph(adopt(name, real_weights(f"{name}-imagenet.pth")))
    assert made.size == 224
    assert 0 < made.difference <= 1e-4


def test_a_head_is_no_part_of_the_graph(whole: Callable[[str], nn.Module], saved: Callable[[str], Path]) -> None:
    kept = adopt("squeezenet1_1", saved("squeezenet1_1"))
    output = onnx.load(feature_graph(kept, size=64).file).graph.output[0]
    assert output.name == "features"
    assert output.type.tensor_type.shape.dim[1].dim_value in (0, 512)

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from transfer_core.features.extract import session
from transfer_core.metrics import novelty
from transfer_core.metrics.calibration import softmax
from transfer_core.models.graph import write_classifier
from transfer_core.models.layers import Linear


@pytest.fixture
def identity(tmp_path: Path) -> Path:
    """A graph whose features are the pixels themselves: `pixels` uint8 `[n, 2, 2, 1]` to `features` `[n, 4]`."""
    nodes = [
        helper.make_node("Cast", ["pixels"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["float"], ["features"]),
    ]
    graph = helper.make_graph(
        nodes,
        "features",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["N", 2, 2, 1])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", 4])],
    )
    file = tmp_path / "features.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), file)
    return file


@pytest.mark.parametrize("references", [1, 2, 3, 4, 50])
def test_the_graph_computes_what_numpy_does(identity: Path, tmp_path: Path, references: int) -> None:
    """Probabilities are the softmax of the head, novelty one minus the mean cosine with the nearest references."""
    generator = np.random.default_rng(references)
    weight, bias = generator.normal(0, 0.02, (3, 4)).astype(np.float32), generator.normal(0, 1, 3).astype(np.float32)
    reference = novelty.unit(generator.uniform(0, 255, (references, 4)).astype(np.float32))
    file = tmp_path / "model.onnx"
    write_classifier(identity, [Linear(weight, bias)], reference, file)
    pixels = generator.integers(0, 256, (7, 2, 2, 1), dtype=np.uint8)
    pixels[3] = 0  # a row of zeros has no direction
    probabilities, distance = session(file, 1).run(["probabilities", "novelty"], {"pixels": pixels})
    features = pixels.reshape(7, 4).astype(np.float32)
    assert np.allclose(probabilities, softmax(features @ weight.T + bias), atol=1e-5)
    near = novelty.neighbours(references)
    expected = 1 - np.sort(novelty.unit(features) @ reference.T, axis=1)[:, -near:].mean(1)
    assert distance.shape == (7,) and np.allclose(distance, expected, atol=1e-5)
    assert distance[3] == pytest.approx(1.0)


def test_the_file_stands_alone(identity: Path, tmp_path: Path) -> None:
    """Nothing outside the file, no operators but the standard's: any ONNX runtime can answer from it."""
    file = tmp_path / "model.onnx"
    write_classifier(identity, [Linear(np.eye(4, dtype=np.float32), np.zeros(4, np.float32))], np.eye(4, dtype=np.float32), file)
    model = onnx.load(file, load_external_data=False)
    assert {node.domain for node in model.graph.node} == {""}
    assert [output.name for output in model.graph.output] == ["probabilities", "novelty"]
    assert all(each.data_location == TensorProto.DEFAULT for each in model.graph.initializer)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["features.onnx", "model.onnx"]

"""The exported network: prepared pixels in, calibrated probabilities and refusal score out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from transfer_core.files import write_bytes
from transfer_core.metrics.novelty import neighbours


def write_classifier(
    features_graph: Path, weight: NDArray[np.float32], bias: NDArray[np.float32], reference: NDArray[np.float32], file: Path
) -> None:
    """Append the head to a graph from `pixels` to `features`, and write it to `file`.

    `weight [classes, width]` and `bias [classes]` are already divided by the temperature; `reference [m, width]` are unit-length rows.
    Outputs: `probabilities [n, classes]` and `novelty [n]`, in 0..2.
    """
    model = onnx.load(str(features_graph))
    graph = model.graph
    values = {
        "head.weight": weight.T,
        "head.bias": bias,
        "novelty.reference": reference.T,
        "novelty.neighbours": np.array([neighbours(len(reference))], np.int64),
        "novelty.axis": np.array([1], np.int64),
        "novelty.one": np.array(1, np.float32),
        "novelty.least": np.array(1e-12, np.float32),
    }
    graph.initializer.extend(numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in values.items())
    graph.node.extend(
        [
            helper.make_node("Gemm", ["features", "head.weight", "head.bias"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
            helper.make_node("ReduceL2", ["features", "novelty.axis"], ["novelty.length"], keepdims=1),
            helper.make_node("Max", ["novelty.length", "novelty.least"], ["novelty.divisor"]),
            helper.make_node("Div", ["features", "novelty.divisor"], ["novelty.unit"]),
            helper.make_node("MatMul", ["novelty.unit", "novelty.reference"], ["novelty.cosine"]),
            helper.make_node("TopK", ["novelty.cosine", "novelty.neighbours"], ["novelty.nearest", "novelty.which"], axis=1),
            helper.make_node("ReduceMean", ["novelty.nearest", "novelty.axis"], ["novelty.similar"], keepdims=0),
            helper.make_node("Sub", ["novelty.one", "novelty.similar"], ["novelty"]),
        ]
    )
    del graph.output[:]
    graph.output.extend(
        [
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", len(bias)]),
            helper.make_tensor_value_info("novelty", TensorProto.FLOAT, ["n"]),
        ]
    )
    write_bytes(file, model.SerializeToString())

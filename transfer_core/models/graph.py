"""The exported network: prepared pixels in, calibrated probabilities and refusal score out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from transfer_core.files import write_bytes
from transfer_core.metrics.novelty import neighbours
from transfer_core.models.layers import LEAST, Centre, Layer, Linear, Normalise, Rectify


def write_classifier(features_graph: Path, layers: Sequence[Layer], reference: NDArray[np.float32], file: Path) -> None:
    """Append the head to a graph from `pixels` to `features`, and write it to `file`.

    `layers` give logits already divided by the temperature and end with a linear one; `reference [m, width]` are unit-length rows.
    Outputs: `probabilities [n, classes]` and `novelty [n]`, in 0..2.
    """
    last = layers[-1]
    assert isinstance(last, Linear)
    model = onnx.load(str(features_graph))
    _Building(model.graph).head(layers)
    write_answers(model, len(last.bias), reference, file)


def write_answers(model: onnx.ModelProto, classes: int, reference: NDArray[np.float32], file: Path) -> None:
    """Append what is said of `features` and `logits`, which the graph computes, and write it to `file`; outputs as above."""
    building = _Building(model.graph)
    building.node("Softmax", ["logits"], "probabilities", axis=1)
    building.novelty(reference)
    del model.graph.output[:]
    del model.graph.value_info[:]
    model.graph.output.extend(
        [
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", classes]),
            helper.make_tensor_value_info("novelty", TensorProto.FLOAT, ["n"]),
        ]
    )
    write_bytes(file, model.SerializeToString())


class _Building:
    """Nodes and constants being appended to a graph."""

    def __init__(self, graph: onnx.GraphProto):
        self.graph = graph

    def node(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.graph.node.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def constant(self, name: str, value: NDArray[np.generic]) -> str:
        self.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def head(self, layers: Sequence[Layer]) -> None:
        """From `features` to `logits`."""
        before = "features"
        for number, layer in enumerate(layers):
            name = f"head.{number}"
            after = "logits" if number + 1 == len(layers) else name
            match layer:
                case Linear(weight, bias):
                    inputs = [before, self.constant(f"{name}.weight", weight.T), self.constant(f"{name}.bias", bias)]
                    self.node("Gemm", inputs, after)
                case Centre(mean):
                    self.node("Sub", [before, self.constant(f"{name}.mean", mean)], after)
                case Normalise():
                    self.unit(before, after)
                case Rectify():
                    self.node("Relu", [before], after)
            before = after

    def unit(self, before: str, after: str) -> None:
        """Rows at length 1; a row of zeros stays."""
        axis = self.constant(f"{after}.axis", np.array([1], np.int64))
        length = self.node("ReduceL2", [before, axis], f"{after}.length", keepdims=1)
        divisor = self.node("Max", [length, self.constant(f"{after}.least", np.array(LEAST))], f"{after}.divisor")
        self.node("Div", [before, divisor], after)

    def novelty(self, reference: NDArray[np.float32]) -> None:
        """One minus the mean cosine with the nearest references."""
        self.unit("features", "novelty.unit")
        cosine = self.node("MatMul", ["novelty.unit", self.constant("novelty.reference", reference.T)], "novelty.cosine")
        near = self.constant("novelty.neighbours", np.array([neighbours(len(reference))], np.int64))
        self.graph.node.append(helper.make_node("TopK", [cosine, near], ["novelty.nearest", "novelty.which"], axis=1))
        axis = self.constant("novelty.axis", np.array([1], np.int64))
        similar = self.node("ReduceMean", ["novelty.nearest", axis], "novelty.similar", keepdims=0)
        self.node("Sub", [self.constant("novelty.one", np.array(1, np.float32)), similar], "novelty")

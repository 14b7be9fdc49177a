"""A backbone as an ONNX graph: what every frozen forward pass runs, with normalisation inside.

`python -m transfer_core.backbones.graph starter` makes the graph that comes with the program.
"""

from __future__ import annotations

import io
import logging
import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transfer_core.backbones.catalogue import STARTER, STARTER_FILE, backbone_info
from transfer_core.backbones.download import Progress
from transfer_core.backbones.weights import KeptWeights, digest_of, kept_weights
from transfer_core.errors import BackboneError, TransferError
from transfer_core.files import read_json, write_bytes, write_json
from transfer_core.i18n import _
from transfer_core.places import weights_folder

if TYPE_CHECKING:
    from torch import Tensor, nn

    from transfer_core.backbones.network import Backbone, FromPixels

log = logging.getLogger(__name__)

Shapes = tuple[tuple[int, ...], ...]

SCHEMA = 2
PIXELS, FEATURES = "pixels", "features"
OPSET = 18
TOLERANCE = 1e-4  # of the largest feature, or absolutely where features are smaller than 1
CHECKED = 3  # pictures compared with torch; not the number the graph was traced with, so that N is tested to be free
# Why a backbone may have no graph; whoever needs one goes on in torch.
NO_GRAPH = frozenset({"graph-too-large", "graph-failed", "graph-differs"})
LARGEST = 2**31 - 2**20  # bytes of a protobuf file


@dataclass(frozen=True)
class Graph:
    """An ONNX file: `pixels` uint8 `[N, size, size, 3]` in, `features` float32 `[N, D]` out, N free.

    The activations between stages bear the names `boundary1`, `boundary2`, ... inside; `shapes` are those of all boundaries, for one
    picture: the first that of the pixels, the last that of the features.
    """

    file: Path
    seconds: float  # that making it took
    difference: float  # largest absolute one from torch, on random pixels
    size: int
    shapes: Shapes
    input_name: str = PIXELS
    output_name: str = FEATURES

    @property
    def stages(self) -> int:
        """How many stages the backbone has, which is also the number of the last boundary."""
        return len(self.shapes) - 1

    def cut(self, first: int, last: int) -> bytes:
        """The graph from boundary `first` to boundary `last`, as a file's content; it takes and gives what the boundaries are named.

        Boundary 0 is `pixels`, the last one `features`. Raises ValueError for boundaries that are not there.
        """
        if not 0 <= first < last <= self.stages:
            raise ValueError(f"boundaries go up, from 0 to {self.stages}; got {first} and {last}")
        return _between(self.file, self.boundary_name(first), self.boundary_name(last))

    def boundary_name(self, boundary: int) -> str:
        """What a boundary's activation is called in the graph."""
        return FEATURES if boundary == self.stages else _boundary(boundary)


def _boundary(number: int) -> str:
    return f"boundary{number}" if number else PIXELS


def _between(file: Path, first: str, last: str) -> bytes:
    import onnx
    from onnx.utils import Extractor

    return bytes(Extractor(onnx.load(str(file))).extract_model([first], [last]).SerializeToString())


def feature_graph(kept: KeptWeights, progress: Progress | None = None, size: int | None = None) -> Graph:
    """The graph of kept weights for pictures of `size` pixels (the backbone's crop unless told otherwise).

    Made once and kept beside the weights; from then on torch is not loaded for it.
    Raises BackboneError for a size that can't be or a graph that does not agree with torch, WeightsError for altered weights.
    """
    info = backbone_info(kept.backbone)
    size = size or info.crop
    places = [weights_folder() / f"{kept.stem}-{size}.onnx"]
    if kept.backbone == STARTER and size == info.crop:
        places.insert(0, _starter_graph())
    for file in places:
        if graph := _found(file, kept, size):
            return graph
    return _make(kept, size, places[-1], progress)


def _starter_graph() -> Path:
    return STARTER_FILE.with_suffix(".onnx")


def _description(file: Path) -> Path:
    return file.with_suffix(".onnx.json")


def _found(file: Path, kept: KeptWeights, size: int) -> Graph | None:
    """The graph in `file`, if it is there, unaltered, and of these weights and this version."""
    try:
        record = read_json(_description(file))
        if (record["schema"], record["weights"], record["size"]) != (SCHEMA, kept.digest, size):
            return None
        if digest_of(file) != record["digest"]:
            return None
        shapes = tuple(tuple(int(side) for side in shape) for shape in record["shapes"])
        return Graph(file, float(record["seconds"]), float(record["difference"]), size, shapes)
    except (TransferError, OSError, KeyError, TypeError, ValueError):
        return None  # it is made again


def _make(kept: KeptWeights, size: int, file: Path, progress: Progress | None) -> Graph:
    from transfer_core.backbones.network import check_size, load_backbone

    tell = progress or (lambda done, total: None)
    check_size(backbone_info(kept.backbone), size)
    started = time.monotonic()
    tell(0, 2)
    backbone = load_backbone(kept)
    tell(1, 2)
    difference, shapes = export_features(backbone, size, file)
    graph = Graph(file, round(time.monotonic() - started, 3), difference, size, shapes)
    record = {
        "schema": SCHEMA,
        "weights": kept.digest,
        "size": size,
        "digest": digest_of(file),
        "seconds": graph.seconds,
        "difference": difference,
        "shapes": shapes,
    }
    write_json(_description(file), record)
    tell(2, 2)
    return graph


def export_features(backbone: Backbone, size: int, file: Path) -> tuple[float, Shapes]:
    """Write `backbone` as a graph for pictures of `size` pixels to `file`, whole.

    Returns the largest difference of its features from torch's, and the shapes of the boundaries for one picture.
    Raises BackboneError (graph-too-large, graph-failed, graph-differs) and writes nothing then.
    """
    import torch

    from transfer_core.backbones.network import FromPixels

    _check_weight(backbone)
    training = backbone.training
    module = FromPixels(backbone).eval()
    try:
        pixels = _random_pixels(CHECKED, size)
        with torch.inference_mode():
            expected = module(pixels)
        shapes = tuple(tuple(activation.shape[1:]) for activation in expected)
        data = _with_boundaries_inside(_export(module, size), shapes)
        found = _run(data, pixels)
    finally:
        backbone.train(training)
    difference = float((found - expected[-1]).abs().max())
    if not difference <= TOLERANCE * max(1.0, float(expected[-1].abs().max())):  # written so that a NaN is refused
        raise _failed(backbone.info.name, "graph-differs", f"{difference:.1e}")
    write_bytes(file, data)
    return difference, ((size, size, 3), *shapes)


def _check_weight(backbone: Backbone) -> None:
    total = sum(tensor.numel() * tensor.element_size() for tensor in backbone.state_dict().values())
    if total > LARGEST:
        raise BackboneError(
            _("{backbone} is too large for a graph in one file: {size} GB of weights, and 2 GB is the most.").format(
                backbone=backbone.info.name, size=round(total / 1e9, 1)
            ),
            code="graph-too-large",
            fix=_("Choose a smaller backbone."),
        )


def _failed(name: str, code: str, reason: str) -> BackboneError:
    return BackboneError(
        _("The graph of {backbone} could not be made: {reason}.").format(backbone=name, reason=reason),
        code=code,
        fix=_("Choose another backbone or size, and report this with the versions that `transfer-studio doctor` tells."),
    )


def _export(module: FromPixels, size: int) -> bytes:
    names = [*(_boundary(number) for number in range(1, len(module.backbone.stages))), FEATURES]
    return export(module, module.backbone.info.name, size, names)


def export(module: nn.Module, name: str, size: int, outputs: list[str]) -> bytes:
    """The content of an ONNX file for a module in eval mode that takes `pixels` uint8 `[N, size, size, 3]`; N is free in all outputs.

    From torch's older exporter where that works: 0.6 s against 7.5 s for MobileNetV2. Raises BackboneError (graph-failed).
    """
    import torch

    example = _random_pixels(2, size)
    with warnings.catch_warnings(), torch.no_grad():
        # The older exporter announces its end, and remarks on every size that is fixed on purpose here.
        warnings.simplefilter("ignore")
        try:
            return _by_tracing(module, example, outputs)
        except Exception:  # it may be gone, or lack an operator, and says so in many ways
            log.info("The older exporter failed for %s", name, exc_info=True)
        try:
            return _by_capturing(module, example, outputs)
        except Exception as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise _failed(name, "graph-failed", reason) from error


def _with_boundaries_inside(data: bytes, shapes: Shapes) -> bytes:
    """The graph with the features as its only output; the other boundaries keep their names, and their shapes are noted."""
    import onnx

    model = onnx.load_from_string(data)
    graph = model.graph
    names = [value.name for value in graph.output]
    values = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["N", *shape])
        for name, shape in zip(names, shapes, strict=True)
    ]
    del graph.output[:]
    graph.value_info.extend(values[:-1])
    graph.output.append(values[-1])
    return bytes(model.SerializeToString())


def _by_tracing(module: nn.Module, example: Tensor, outputs: list[str]) -> bytes:
    import torch

    content: Any = io.BytesIO()  # taken by the older exporter, though only paths are declared
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # one operator for all of attention, which ONNX does not have
    try:
        torch.onnx.export(
            module,
            (example,),
            content,
            dynamo=False,
            opset_version=OPSET,
            input_names=[PIXELS],
            output_names=outputs,
            dynamic_axes={name: {0: "N"} for name in (PIXELS, *outputs)},
        )
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
    return bytes(content.getvalue())


def _by_capturing(module: nn.Module, example: Tensor, outputs: list[str]) -> bytes:
    import torch

    program = torch.onnx.export(
        module,
        (example,),
        dynamo=True,
        opset_version=OPSET,
        input_names=[PIXELS],
        output_names=outputs,
        dynamic_shapes=({0: torch.export.Dim("N")},),
        external_data=False,
        verbose=False,
    )
    assert program is not None  # without a file to write to, the program is what comes back
    return program.model_proto.SerializeToString()


def _random_pixels(count: int, size: int) -> Tensor:
    """The same random pictures each time: uint8 `[count, size, size, 3]`."""
    import torch

    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, size, size, 3), dtype=torch.uint8, generator=generator)


def _run(data: bytes, pixels: Tensor) -> Tensor:
    """The features that a graph gives for these pixels."""
    import onnxruntime
    import torch

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run([FEATURES], {PIXELS: pixels.numpy()})[0])


def main(arguments: list[str]) -> None:
    """Make the starter's graph beside its parameters, for the wheel."""
    if arguments != [STARTER]:
        raise SystemExit("usage: python -m transfer_core.backbones.graph starter")
    kept = next(iter(kept_weights(STARTER)), None)
    if kept is None:
        raise SystemExit(f"{STARTER_FILE} is missing")
    graph = _make(kept, backbone_info(STARTER).crop, _starter_graph(), None)
    print(f"{graph.file}: {graph.file.stat().st_size} bytes, {graph.seconds} s, largest difference {graph.difference:.1e}")


if __name__ == "__main__":
    main(sys.argv[1:])

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
    from torch import Tensor

    from transfer_core.backbones.network import Backbone, FromPixels

log = logging.getLogger(__name__)

SCHEMA = 1
PIXELS, FEATURES = "pixels", "features"
OPSET = 18
TOLERANCE = 1e-4  # of the largest feature, or absolutely where features are smaller than 1
CHECKED = 3  # pictures compared with torch; not the number the graph was traced with, so that N is tested to be free
LARGEST = 2**31 - 2**20  # bytes of a protobuf file


@dataclass(frozen=True)
class Graph:
    """An ONNX file: `pixels` uint8 `[N, size, size, 3]` in, `features` float32 `[N, D]` out, N free."""

    file: Path
    seconds: float  # that making it took
    difference: float  # largest absolute one from torch, on random pixels
    size: int
    input_name: str = PIXELS
    output_name: str = FEATURES


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
        return Graph(file, float(record["seconds"]), float(record["difference"]), size)
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
    difference = export_features(backbone, size, file)
    graph = Graph(file, round(time.monotonic() - started, 3), difference, size)
    record = {
        "schema": SCHEMA,
        "weights": kept.digest,
        "size": size,
        "digest": digest_of(file),
        "seconds": graph.seconds,
        "difference": difference,
    }
    write_json(_description(file), record)
    tell(2, 2)
    return graph


def export_features(backbone: Backbone, size: int, file: Path) -> float:
    """Write `backbone` as a graph for pictures of `size` pixels to `file`, whole; returns the largest difference from torch.

    Raises BackboneError (graph-too-large, graph-failed, graph-differs) and writes nothing then.
    """
    from transfer_core.backbones.network import FromPixels

    _check_weight(backbone)
    training = backbone.training
    module = FromPixels(backbone).eval()
    try:
        data = _export(module, size)
        difference, largest = _compare(data, module, size)
    finally:
        backbone.train(training)
    if not difference <= TOLERANCE * max(1.0, largest):  # written so that a NaN is refused
        raise _failed(backbone, "graph-differs", f"{difference:.1e}")
    write_bytes(file, data)
    return difference


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


def _failed(backbone: Backbone, code: str, reason: str) -> BackboneError:
    return BackboneError(
        _("The graph of {backbone} could not be made: {reason}.").format(backbone=backbone.info.name, reason=reason),
        code=code,
        fix=_("Choose another backbone or size, and report this with the versions that `transfer-studio doctor` tells."),
    )


def _export(module: FromPixels, size: int) -> bytes:
    """The ONNX file's content, from torch's older exporter where that works: 0.6 s against 7.5 s for MobileNetV2."""
    import torch

    example = _random_pixels(2, size)
    with warnings.catch_warnings(), torch.no_grad():
        # The older exporter announces its end, and remarks on every size that is fixed on purpose here.
        warnings.simplefilter("ignore")
        try:
            return _by_tracing(module, example)
        except Exception:  # it may be gone, or lack an operator, and says so in many ways
            log.info("The older exporter failed for %s", module.backbone.info.name, exc_info=True)
        try:
            return _by_capturing(module, example)
        except Exception as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise _failed(module.backbone, "graph-failed", reason) from error


def _by_tracing(module: FromPixels, example: Tensor) -> bytes:
    import torch

    content: Any = io.BytesIO()  # taken by the older exporter, though only paths are declared
    torch.onnx.export(
        module,
        (example,),
        content,
        dynamo=False,
        opset_version=OPSET,
        input_names=[PIXELS],
        output_names=[FEATURES],
        dynamic_axes={PIXELS: {0: "N"}, FEATURES: {0: "N"}},
    )
    return bytes(content.getvalue())


def _by_capturing(module: FromPixels, example: Tensor) -> bytes:
    import torch

    program = torch.onnx.export(
        module,
        (example,),
        dynamo=True,
        opset_version=OPSET,
        input_names=[PIXELS],
        output_names=[FEATURES],
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


def _compare(data: bytes, module: FromPixels, size: int) -> tuple[float, float]:
    """The largest absolute difference between the graph's features and torch's, and the largest of torch's."""
    import onnxruntime
    import torch

    pixels = _random_pixels(CHECKED, size)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    found = torch.from_numpy(session.run([FEATURES], {PIXELS: pixels.numpy()})[0])
    with torch.inference_mode():
        expected = module(pixels)
    return float((found - expected).abs().max()), float(expected.abs().max())


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

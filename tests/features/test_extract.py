from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from transfer_core.features import extract as extracting
from transfer_core.features.extract import BATCH, FeatureStore, GraphForward, central, extract
from transfer_core.images.pixels import PixelMap
from transfer_core.images.view import View

VIEW = View(24, 32)
WIDTH = 24


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network of the kind that backbones are: convolutions, depthwise ones among them, then the mean."""
    generator = np.random.default_rng(0)
    weights = {
        "first": generator.normal(0, 0.2, (16, 3, 3, 3)),
        "deep": generator.normal(0, 0.3, (16, 1, 3, 3)),
        "last": generator.normal(0, 0.3, (WIDTH, 16, 1, 1)),
        "scale": np.array(1 / 255),
    }
    nodes = [
        helper.make_node("Transpose", ["pixels"], ["nchw"], perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["nchw"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["float", "scale"], ["scaled"]),
        helper.make_node("Conv", ["scaled", "first"], ["a"], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "deep"], ["c"], group=16, pads=[1, 1, 1, 1]),
        helper.make_node("HardSwish", ["c"], ["d"]),
        helper.make_node("Conv", ["d", "last"], ["e"]),
        helper.make_node("GlobalAveragePool", ["e"], ["f"]),
        helper.make_node("Flatten", ["f"], ["features"]),
    ]
    made = helper.make_graph(
        nodes,
        "features",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["N", VIEW.crop, VIEW.crop, 3])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", WIDTH])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
    )
    file = tmp_path_factory.mktemp("graph") / "features.onnx"
    onnx.save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), file)
    return file


def key(number: int) -> str:
    return f"{number:032x}"


@pytest.fixture
def pixels(tmp_path: Path) -> PixelMap:
    made = PixelMap(tmp_path / "pixels", VIEW)
    made.append([key(n) for n in range(50)], np.random.default_rng(1).integers(0, 256, (50, 32, 32, 3), dtype=np.uint8))
    return made


def store(folder: Path, digest: str = "d" * 64, view: View = VIEW) -> FeatureStore:
    return FeatureStore(folder, "tiny", digest, view, WIDTH)


def bits(kept: FeatureStore, contents: list[str]) -> bytes:
    return kept.rows()[kept.positions(contents)].tobytes()


def test_features_are_those_of_the_central_crops(graph: Path, pixels: PixelMap, tmp_path: Path) -> None:
    """Each content's row is the graph's answer to that picture's crop, and nothing is asked twice."""
    forward = GraphForward(graph, threads=1)
    contents = [key(n) for n in (7, 3, 7, 40)]
    kept, told = store(tmp_path), []
    extract(forward, pixels, kept, contents, progress=lambda done, total: told.append((done, total)))
    assert len(kept) == 3 and told == [(3, 3)]
    squares = pixels.rows()
    for content in contents:
        crop = squares[int(content, 16)][4:28, 4:28]
        assert np.array_equal(central(pixels, [content])[0], crop)
        assert np.allclose(kept.rows()[kept.positions([content])[0]], forward(crop[None].copy())[0], atol=1e-5)
    extract(lambda _: pytest.fail("computed again"), pixels, store(tmp_path), contents)


@pytest.mark.parametrize("threads", [1, 3, 20])
def test_what_else_is_in_a_batch_changes_no_bit(graph: Path, pixels: PixelMap, tmp_path: Path, threads: int) -> None:
    """In one go, one by one, backwards, with half of them there, on one core or several: a picture's row is the same, bit for bit."""
    contents = [key(n) for n in range(50)]
    whole = store(tmp_path / "whole")
    extract(GraphForward(graph, threads=1), pixels, whole, contents)
    forward = GraphForward(graph, threads)
    expected = bits(whole, contents)
    orders = {
        "one by one": [[content] for content in contents],
        "backwards": [contents[::-1]],
        "half are there": [contents[::2], contents],
        "in pieces": [contents[:5], contents[:22], contents],
    }
    for name, passes in orders.items():
        kept = store(tmp_path / name)
        for asked in passes:
            extract(forward, pixels, kept, asked)
        assert bits(kept, contents) == expected, name


def test_stopped_and_resumed_gives_the_same_bits(
    graph: Path, pixels: PixelMap, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped half-way, what was kept stays, only the rest is computed, and the rows are those of an unbroken pass."""
    monkeypatch.setattr(extracting, "KEEP_EVERY", BATCH)
    forward = GraphForward(graph, threads=1)
    contents = [key(n) for n in range(50)]
    whole = store(tmp_path / "whole")
    extract(forward, pixels, whole, contents)
    calls: list[int] = []

    def stop() -> None:
        calls.append(0)
        if len(calls) == 3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        extract(forward, pixels, store(tmp_path / "stopped"), contents, checkpoint=stop)
    kept = store(tmp_path / "stopped")
    assert len(kept) == 2 * BATCH
    computed: list[int] = []

    def counted(batch: np.ndarray) -> np.ndarray:
        computed.append(len(batch))
        return forward(batch)

    extract(counted, pixels, kept, contents)
    assert sum(computed) == 50 - 2 * BATCH
    assert bits(kept, contents) == bits(whole, contents)


def test_a_store_belongs_to_weights_and_view(tmp_path: Path) -> None:
    """Other weights, another crop or another size: other features, in another place; the same: the same place."""
    folders = {
        store(tmp_path).folder,
        store(tmp_path, digest="e" * 64).folder,
        store(tmp_path, view=View(32, 32)).folder,
        store(tmp_path, view=View(24, 40)).folder,
        FeatureStore(tmp_path, "other", "d" * 64, VIEW, WIDTH).folder,
    }
    assert len(folders) == 5
    assert store(tmp_path).folder in folders


def test_a_picture_that_was_not_decoded_is_a_mistake(graph: Path, pixels: PixelMap, tmp_path: Path) -> None:
    """A content without pixels is not silently skipped."""
    with pytest.raises(KeyError):
        extract(GraphForward(graph, 1), pixels, store(tmp_path), [key(999)])

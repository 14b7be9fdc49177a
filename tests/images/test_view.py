from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from transfer_core.images.view import View


def picture(width: int, height: int) -> Image.Image:
    """Slopes with noise on them: resizing has something to average."""
    generator = np.random.default_rng(width * 1000 + height)
    y, x = np.mgrid[:height, :width]
    base = np.stack([127 + 90 * np.sin(x / 13 + k) * np.cos(y / 11 - k) for k in range(3)], -1)
    return Image.fromarray((base + generator.normal(0, 12, base.shape)).clip(0, 255).astype(np.uint8))


def resized_by_onnx(square: np.ndarray, side: int) -> np.ndarray:
    """Resize as the written-down definition names it: linear, antialias, half-pixel centres; rounded at the end."""
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["pixels"], ["float"], to=TensorProto.FLOAT),
            helper.make_node(
                "Resize",
                ["float", "", "", "sizes"],
                ["resized"],
                mode="linear",
                antialias=1,
                coordinate_transformation_mode="half_pixel",
            ),
        ],
        "resize",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, [1, 3, None, None])],
        [helper.make_tensor_value_info("resized", TensorProto.FLOAT, [1, 3, side, side])],
        [numpy_helper.from_array(np.array([1, 3, side, side], np.int64), "sizes")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    result = session.run(None, {"pixels": square.transpose(2, 0, 1)[None]})[0][0].transpose(1, 2, 0)
    return np.clip(np.rint(result), 0, 255).astype(np.uint8)


SIZES = [(64, 64), (300, 200), (200, 303), (90, 40), (31, 58), (61, 61), (640, 480)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("side", [32, 64, 96, 100])
def test_the_square_is_what_onnx_operators_give(size: tuple[int, int], side: int) -> None:
    """Bigger, smaller, portrait and landscape: an exported graph can prepare pictures as we do, within a grey level or two."""
    width, height = size
    image = picture(width, height)
    short, left, top = min(size), (width - min(size)) // 2, (height - min(size)) // 2
    square = np.asarray(image)[top : top + short, left : left + short]
    ours = View(side, side).square(image).astype(int)
    difference = np.abs(ours - resized_by_onnx(square, side))
    # Measured inside: never more than 2, more than 1 at one pixel in 10,000, equal at 3 in 4 or more: Pillow rounds twice.
    inside = difference[1:-1, 1:-1]
    assert inside.max() <= 2
    assert (inside > 1).mean() < 1e-3
    assert (inside == 0).mean() > 0.7
    # Measured at the outermost pixels, where ONNX Runtime weighs the border in its own way: 2.3 on average at most.
    edge = np.concatenate([difference[0], difference[-1], difference[:, 0], difference[:, -1]])
    assert edge.mean() < 3


@pytest.mark.parametrize("size", SIZES)
def test_the_crop_is_the_usual_one(size: tuple[int, int]) -> None:
    """Square, resize and cut give what "resize the short side, crop the centre" gives."""
    view = View(crop=48, resize=64)
    image = picture(*size)
    ours = view.cut(view.square(image)).astype(int)
    # The usual way rounds the long side to whole pixels; asking for those beside the centre exactly takes that out.
    short, (width, height) = min(size), size
    scale = view.resize / short
    margin = short * (view.resize - view.crop) / 2 / view.resize
    left, top = (width - short) // 2 + margin, (height - short) // 2 + margin
    box = (left, top, left + short - 2 * margin, top + short - 2 * margin)
    usual = np.asarray(image.resize((view.crop, view.crop), Image.Resampling.BILINEAR, box=box)).astype(int)
    assert ours.shape == usual.shape == (48, 48, 3)
    assert np.abs(ours - usual).max() <= 1
    if all((side * scale).is_integer() and (round(side * scale) - view.crop) % 2 == 0 for side in size):
        whole = image.resize((round(width * scale), round(height * scale)), Image.Resampling.BILINEAR)
        left, top = (whole.width - view.crop) // 2, (whole.height - view.crop) // 2
        literally = np.asarray(whole)[top : top + view.crop, left : left + view.crop].astype(int)
        assert np.abs(ours - literally).max() <= 1


def test_a_picture_of_the_right_size_is_left_alone() -> None:
    """No resampling where none is needed."""
    image = picture(40, 40)
    assert np.array_equal(View(40, 40).square(image), np.asarray(image))


def test_cutting_many_is_cutting_each() -> None:
    """The crop of a batch is the batch of the crops, central, and contiguous as ONNX Runtime wants it."""
    view = View(crop=4, resize=10)
    squares = np.random.default_rng(0).integers(0, 256, (5, 10, 10, 3), dtype=np.uint8)
    cut = view.cut(squares)
    assert cut.shape == (5, 4, 4, 3) and cut.flags.c_contiguous
    assert np.array_equal(cut, squares[:, 3:7, 3:7])
    assert np.array_equal(cut[2], view.cut(squares[2]))


@pytest.mark.parametrize("width, height", [(1, 500), (500, 1), (2, 3), (5000, 7)])
def test_extreme_shapes_are_squares_too(width: int, height: int) -> None:
    """A strip of one pixel is a picture."""
    assert View(32, 32).square(Image.new("RGB", (width, height), (9, 8, 7))).tolist() == [[[9, 8, 7]] * 32] * 32


@pytest.mark.parametrize("crop, resize", [(0, 0), (64, 32), (223, 256), (-2, 4)])
def test_a_view_that_can_not_be(crop: int, resize: int) -> None:
    """A crop that has no exact middle would be half a pixel off in one of the tools."""
    with pytest.raises(ValueError, match="crop"):
        View(crop, resize)


def test_the_key_tells_pixels_apart() -> None:
    """Pixel maps of two sizes don't share a folder; two crops of one square do."""
    assert View(32, 64).key != View(32, 48).key
    assert View(32, 64).key == View(64, 64).key

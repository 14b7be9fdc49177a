"""What all tests share: a home of their own, drawn pictures, and the folder of real data beside the repository."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image, ImageDraw

from transfer_core import i18n
from transfer_core.images.view import View
from transfer_core.metrics import novelty
from transfer_core.models.folder import Model, write_model_folder
from transfer_core.models.graph import write_classifier
from transfer_core.models.layers import Linear

# Whoever starts the tests in the background has them, and all they start, ignore Ctrl-C; some tests press it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

REPOSITORY = Path(__file__).parents[1]
COLOURS = ((200, 60, 50), (60, 150, 70), (60, 90, 200), (200, 170, 40))

Pictures = Callable[..., Path]


def pytest_xdist_auto_num_workers() -> int:
    """Two for each processor: half the time a test waits for a process that it started. Each takes up to 1 GB of memory."""
    return min(2 * (os.cpu_count() or 1), 8)


@pytest.fixture(autouse=True)
def studio_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Projects, weights and the trash of a test lie in its own folder; sentences are English."""
    home = tmp_path / "home"
    monkeypatch.setenv("TRANSFER_STUDIO_HOME", str(home))
    monkeypatch.delenv("TRANSFER_STUDIO_LANGUAGE", raising=False)
    i18n.set_language(None)  # a page that an earlier test drew in this thread may have chosen one
    return home


@pytest.fixture
def shared() -> Path:
    """Real pictures and weights: the folder that TRANSFER_STUDIO_SHARED names, else `shared` beside the repository."""
    folder = Path(os.environ.get("TRANSFER_STUDIO_SHARED") or REPOSITORY.parent / "shared")
    if not folder.is_dir():
        pytest.skip("the real pictures are not here; TRANSFER_STUDIO_SHARED says where to look for them")
    return folder


@pytest.fixture
def pictures(tmp_path: Path) -> Pictures:
    """Draws a folder of labelled pictures: `pictures(classes, count, size, under, seed)` gives its path.

    Each class is a coloured shape on noise, so that even a random network tells most of them apart; no two pictures are alike.
    """

    def draw(
        classes: Sequence[str] = ("circle", "square", "triangle"),
        count: int = 12,
        size: tuple[int, int] = (64, 48),
        under: Path | None = None,
        seed: int = 0,
    ) -> Path:
        folder = under or tmp_path / "pictures"
        generator = np.random.default_rng(seed)
        for number, label in enumerate(classes):
            (folder / label).mkdir(parents=True, exist_ok=True)
            for place in range(count):
                shape_picture(number, size, generator).save(folder / label / f"{place:03}.jpg", quality=85)
        return folder

    return draw


def shape_picture(kind: int, size: tuple[int, int], generator: np.random.Generator) -> Image.Image:
    """A shape in the colour of its kind, somewhere on a noisy ground."""
    width, height = size
    noise = generator.integers(70, 186, (height, width, 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    radius = 0.3 * min(size)
    x, y = width / 2 + generator.uniform(-4, 4), height / 2 + generator.uniform(-4, 4)
    box = (x - radius, y - radius, x + radius, y + radius)
    tint = np.array(COLOURS[kind % len(COLOURS)]) + generator.integers(-15, 16, 3)
    colour = tuple(int(value) for value in tint)
    draw = ImageDraw.Draw(image)
    if kind % 3 == 0:
        draw.ellipse(box, fill=colour)
    elif kind % 3 == 1:
        draw.rectangle(box, fill=colour)
    else:
        draw.polygon([(x, y - radius), (x + radius, y + radius), (x - radius, y + radius)], fill=colour)
    return image


@pytest.fixture
def colour_model(tmp_path: Path) -> Path:
    """A model folder that was never trained: it tells blue, green and red pictures apart, and refuses white and black ones."""
    folder = tmp_path / "run" / "model"
    folder.parent.mkdir()
    write_model_folder(folder, fill_colour_model)
    return folder


def fill_colour_model(folder: Path) -> None:
    """Features are the mean of each channel, blue first; the likeliest class is that of the strongest channel."""
    view = View(crop=8, resize=12)
    nodes = [
        helper.make_node("Transpose", ["pixels"], ["nchw"], perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["nchw"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["float", "scale"], ["scaled"]),
        helper.make_node("GlobalAveragePool", ["scaled"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "reversed"], ["features"]),
    ]
    values = {"scale": np.array(1 / 255, np.float32), "reversed": np.eye(3, dtype=np.float32)[::-1].copy()}
    graph = helper.make_graph(
        nodes,
        "features",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["N", view.crop, view.crop, 3])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", 3])],
        [numpy_helper.from_array(value, name) for name, value in values.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), folder / "features.onnx")
    generator = np.random.default_rng(0)
    learnt = np.repeat(np.eye(3), 20, 0) * 0.8 + generator.uniform(0, 0.2, (60, 3))
    reference = novelty.references(learnt.astype(np.float32), np.repeat(np.arange(3), 20))
    head = Linear(np.eye(3, dtype=np.float32) * 5, np.zeros(3, np.float32))
    write_classifier(folder / "features.onnx", [head], reference, folder / "model.onnx")
    (folder / "features.onnx").unlink()
    Model(
        folder=folder,
        classes=["blue", "green", "red"],
        backbone={"name": "colours", "digest": "0" * 64, "source": "", "trained": False},
        head={"kind": "logistic", "strength": 0.01, "features": 3},
        view=view,
        calibration={"temperature": 1.0, "fitted_on": "out-of-fold", "count": 60},
        refusal={"threshold": novelty.threshold(reference), "refused": novelty.REFUSED, "neighbours": 3},
        scores={"val": {"accuracy": 1.0, "low": 0.94, "high": 1.0, "count": 60}, "test": None, "how_val": "out-of-fold"},
        provenance={"plan": "quick", "images": 60},
    ).write()


@pytest.fixture
def coloured(tmp_path: Path) -> Callable[..., Path]:
    """`coloured("red/1.png", (200, 20, 20), under=folder)` draws a picture of one colour with a little noise."""

    def draw(name: str, colour: tuple[int, int, int], under: Path | None = None) -> Path:
        path = (under or tmp_path) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(len(name)).integers(-8, 9, (20, 30, 3))
        Image.fromarray((np.array(colour) + noise).clip(0, 255).astype(np.uint8)).save(path)
        return path

    return draw

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from transfer_core.errors import ModelError
from transfer_core.images.decode import open_rgb
from transfer_core.models.predict import BATCH, Predictor

RED, GREEN, BLUE, WHITE = (200, 20, 20), (20, 200, 20), (20, 20, 200), (255, 255, 255)


@pytest.fixture
def predictor(colour_model: Path) -> Predictor:
    return Predictor(colour_model, threads=1)


def test_an_answer(predictor: Predictor, coloured) -> None:
    """Class, confidence and the likeliest classes, the first first; confidences are probabilities."""
    path = coloured("red.png", RED)
    (answer,) = predictor.predict([path])
    assert (answer.file, answer.label, answer.refused, answer.error) == (path, "red", False, None)
    assert answer.top[0][0] == "red" and len(answer.top) == 3
    assert answer.confidence == answer.top[0][1] and sum(p for _, p in answer.top) == pytest.approx(1, abs=1e-5)
    assert [p for _, p in answer.top] == sorted((p for _, p in answer.top), reverse=True)
    data = json.loads(json.dumps(answer.as_data()))
    assert data["class"] == "red" and data["file"] == str(path) and data["top"][0] == ["red", data["confidence"]]
    assert set(data) == {"file", "class", "confidence", "refused", "top"}


def test_the_answer_is_the_graphs_to_the_prepared_picture(predictor: Predictor, coloured) -> None:
    """One definition of preparing: what is answered is the graph's output for exactly those pixels."""
    path = coloured("odd.png", (120, 80, 60))
    view = predictor.model.view
    pixels = view.cut(view.square(open_rgb(path, need=view.resize)))
    probabilities, novelty = predictor.probabilities(pixels[None])
    (answer,) = predictor.predict([path])
    assert answer.confidence == pytest.approx(float(probabilities[0].max()), abs=1e-6)
    assert answer.refused == bool(novelty[0] > predictor.model.refusal["threshold"])


def test_odd_files_are_answered_in_their_place(predictor: Predictor, coloured, tmp_path: Path) -> None:
    """Among many pictures, each bad file is answered with its error, in order, and no answer slips to a neighbour."""
    colours = {"red": RED, "green": GREEN, "blue": BLUE}
    asked: list[tuple[Path, str | None]] = []
    for number in range(3 * BATCH + 1):
        label = ("red", "green", "blue")[number % 3]
        asked.append((coloured(f"{number}-{label}.png", colours[label]), label))
    bad = [tmp_path / name for name in ("text.jpg", "empty.jpg", "gone.jpg", "folder.jpg")]
    bad[0].write_text("no picture")
    bad[1].write_bytes(b"")
    bad[3].mkdir()
    for place, path in zip((0, 5, 16, 40), bad, strict=True):
        asked.insert(place, (path, None))
    answers = list(predictor.predict(iter([path for path, _ in asked])))
    assert [answer.file for answer in answers] == [path for path, _ in asked]
    assert [answer.label for answer in answers] == [label for _, label in asked]
    for answer in answers:
        assert (answer.error is None) == (answer.label is not None)
        if answer.error:
            assert answer.as_data() == {"file": str(answer.file), "error": answer.error}
            assert answer.error["message"] and str(answer.file) in answer.error["file"]


def test_nothing_asked_and_only_bad_files(predictor: Predictor, tmp_path: Path) -> None:
    """No picture to answer for is no crash."""
    assert list(predictor.predict([])) == []
    assert [answer.label for answer in predictor.predict([tmp_path / "gone.jpg"] * 3)] == [None] * 3


def test_refusal(predictor: Predictor, coloured) -> None:
    """What is like nothing learnt is refused, though the likeliest class is still told."""
    answers = list(predictor.predict([coloured("w.png", WHITE), coloured("k.png", (3, 3, 3)), coloured("g.png", GREEN)]))
    assert [answer.refused for answer in answers] == [True, True, False]
    assert all(answer.label for answer in answers)


def test_pictures_of_every_kind(predictor: Predictor, tmp_path: Path) -> None:
    """Transparent, grey, 16-bit, turned and CMYK pictures go the same way in as in training."""
    files = {
        "t.png": Image.new("RGBA", (9, 9), (*RED, 255)),
        "c.jpg": Image.new("RGB", (64, 64), RED).convert("CMYK"),
        "p.gif": Image.new("RGB", (9, 9), RED).quantize(4),
    }
    for name, image in files.items():
        image.save(tmp_path / name)
    assert [answer.label for answer in predictor.predict([tmp_path / name for name in files])] == ["red"] * 3
    Image.fromarray(np.full((9, 9), 40000, np.uint16)).save(tmp_path / "deep.png")
    (answer,) = predictor.predict([tmp_path / "deep.png"])
    assert answer.error is None


def test_a_batch_or_one_by_one(predictor: Predictor, coloured) -> None:
    """Who else is asked about changes no answer."""
    generator = np.random.default_rng(0)
    paths = [coloured(f"{n}.png", tuple(generator.integers(0, 256, 3).tolist())) for n in range(20)]
    assert list(predictor.predict(paths)) == [answer for path in paths for answer in predictor.predict([path])]


@pytest.mark.parametrize("content", [b"", b"not a graph", None])
def test_a_damaged_graph_is_a_sentence(colour_model: Path, content: bytes | None) -> None:
    """A graph that can't be loaded is a ModelError that names it."""
    graph = colour_model / "model.onnx"
    graph.write_bytes(graph.read_bytes()[:-300] if content is None else content)
    with pytest.raises(ModelError, match=r"model\.onnx"):
        Predictor(colour_model)


def test_a_graph_of_other_classes_is_a_sentence(colour_model: Path) -> None:
    """Files mixed up between two models are found when the model is loaded, not answered wrongly."""
    file = colour_model / "model.json"
    file.write_text(file.read_text().replace('"blue",', '"blue", "violet",'))
    with pytest.raises(ModelError, match="classes"):
        Predictor(colour_model)


def test_a_graph_for_another_size_is_a_sentence(colour_model: Path) -> None:
    """The same for a size of pictures that is not the graph's."""
    file = colour_model / "model.json"
    file.write_text(file.read_text().replace('"crop": 8', '"crop": 10'))
    with pytest.raises(ModelError, match="pixels"):
        Predictor(colour_model)


def test_predicting_loads_neither_torch_nor_pydantic_nor_streamlit(colour_model: Path, coloured) -> None:
    """The command answers within a second and the page server stays small because of it, and it can run where they are not."""
    code = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        import transfer_core.models.answer
        from transfer_core.models.predict import Predictor
        print(next(Predictor(Path(sys.argv[1])).predict([Path(sys.argv[2])])).label)
        heavy = ("torch", "torchvision", "pydantic", "streamlit", "onnx", "pandas", "scipy", "sqlite3")
        print(*[name for name in heavy if name in sys.modules])
        """
    )
    told = subprocess.run(
        [sys.executable, "-c", code, str(colour_model), str(coloured("r.png", RED))], capture_output=True, text=True, check=True
    )
    assert told.stdout.splitlines() == ["red", ""]

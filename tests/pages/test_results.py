"""What pages make of a model's answers, and of the model's folder."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from pages.ui import answers, charts, keeping, scores
from transfer_core.evaluation.results import Answered, Results
from transfer_core.metrics.intervals import wilson

CLASSES = ["<b>roses</b>", "tulips"]


def answered(label: str, predicted: str, confidence: float, number: int = 0) -> Answered:
    rest = 1 - confidence
    probabilities = [confidence, rest] if predicted == CLASSES[0] else [rest, confidence]
    return Answered(Path(f"/p/{number}.jpg"), f"{label}/{number}.jpg", label, predicted, confidence, probabilities)


@pytest.fixture
def results() -> Results:
    right = [answered(label, label, 0.9, number) for label in CLASSES for number in range(10)]
    return Results(
        "test", "Measured.", CLASSES, [*right, answered(CLASSES[0], "tulips", 0.7), answered("tulips", CLASSES[0], 0.8)]
    )


def test_examples_are_spread_over_the_classes(results: Results) -> None:
    shown = answers.examples(results)
    assert len(shown) == 6 and {answer.label for answer in shown} == set(CLASSES)
    assert answers.examples(Results("test", "", CLASSES, [])) == []
    assert len(answers.examples(Results("test", "", CLASSES, results.answered[:2]))) == 2


def test_names_in_cards_are_data() -> None:
    card = answers.Card("<img>", "<i>file</i>", "<script>", [("<b>roses</b>", 0.25)])
    drawn = answers._beside(card)
    assert "<script>" not in drawn and "<b>roses" not in drawn and "<i>file" not in drawn
    assert "&lt;b&gt;roses&lt;/b&gt;" in drawn and "25 %" in drawn


def test_names_in_charts_are_data_and_short() -> None:
    assert charts.escape("<b>x</b>") == "&lt;b&gt;x&lt;/b&gt;"
    assert len(charts.escape("x" * 100)) == 24


def test_a_score_in_words() -> None:
    score = wilson(100, 120)
    assert score
    text = scores.sentence(score)
    assert "100 of 120" in text and "between 76 % and 89 %" in text
    whole = wilson(12, 12)
    assert whole and "between 76 % and 100 %" in scores.sentence(whole)
    many = wilson(4567, 5000)
    assert many and scores.share(many.accuracy, many) == "91.3 %"


def test_the_download_is_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    (folder / "inner").mkdir(parents=True)
    (folder / "model.json").write_text("{}")
    (folder / "inner" / "a.bin").write_bytes(b"\0" * 10)
    with zipfile.ZipFile(io.BytesIO(keeping.zipped(folder, "flowers"))) as archive:
        assert archive.namelist() == ["flowers/inner/a.bin", "flowers/model.json"]
        assert archive.read("flowers/inner/a.bin") == b"\0" * 10

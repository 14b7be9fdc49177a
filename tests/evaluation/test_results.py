from __future__ import annotations

import json
from pathlib import Path

import pytest

from transfer_core.errors import ModelError
from transfer_core.evaluation.results import Answered, Results, read_results
from transfer_core.models.folder import Model

CLASSES = ["blue", "green", "red"]


def record(split: str, label: str, *probabilities: float) -> dict[str, object]:
    return {
        "split": split,
        "path": f"/pictures/{label}/1.png",
        "relative": f"{label}/1.png",
        "label": label,
        "probabilities": list(probabilities),
    }


def write(model: Path, *records: dict[str, object]) -> None:
    lines = "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in records)
    (model.parent / "answers.jsonl").write_text(lines, encoding="utf-8")


VAL = [
    record("val", "blue", 0.7, 0.2, 0.1),
    record("val", "blue", 0.1, 0.8, 0.1),
    record("val", "green", 0.3, 0.4, 0.3),
    record("val", "red", 0.6, 0.3, 0.1),
    record("val", "red", 0.0, 0.05, 0.95),
    record("val", "red", 0.45, 0.35, 0.2),
]


def test_counts_follow_from_the_answers(colour_model: Path) -> None:
    """Accuracy, confusion and recall of each class, counted by hand, each with how many it is about."""
    write(colour_model, *VAL)
    results = read_results(colour_model)
    assert results.split == "val" and results.classes == CLASSES
    assert results.score is not None and (results.score.accuracy, results.score.count) == (0.5, 6)
    assert results.score.low < 0.5 < results.score.high
    assert results.confusion == [[1, 1, 0], [0, 1, 0], [2, 0, 1]]
    assert [(each.label, each.accuracy, each.count) for each in results.per_class] == [
        ("blue", 0.5, 2),
        ("green", 1.0, 1),
        ("red", pytest.approx(1 / 3), 3),
    ]
    assert all(each.low <= each.accuracy <= each.high for each in results.per_class)


def test_mistakes_come_the_surest_first(colour_model: Path) -> None:
    """Where to look first: the wrong answers that were given with the most confidence."""
    write(colour_model, *VAL)
    wrong = read_results(colour_model).wrong
    assert [(each.label, each.predicted, each.confidence) for each in wrong] == [
        ("blue", "green", 0.8),
        ("red", "blue", 0.6),
        ("red", "blue", 0.45),
    ]
    assert not any(each.right for each in wrong)
    assert wrong[0].path == Path("/pictures/blue/1.png") and wrong[0].probabilities == [0.1, 0.8, 0.1]


def test_a_test_set_goes_before_validation(colour_model: Path) -> None:
    """The honest number is shown where there is one; the other on request; and each says how it was measured."""
    write(colour_model, *VAL, record("test", "red", 0.0, 0.0, 1.0))
    results = read_results(colour_model)
    assert results.split == "test" and results.score is not None and results.score.count == 1
    assert "1 test pictures" in results.how
    val = read_results(colour_model.parent, split="val")
    assert val.score is not None and val.score.count == 6 and "cross-validation" in val.how
    model = Model.read(colour_model)
    model.scores["how_val"] = "held-out"
    model.write()
    assert "best epoch" in read_results(colour_model, "val").how


def test_a_class_that_was_not_learnt_counts_as_wrong(colour_model: Path) -> None:
    """Test pictures of a class that only the test folder has: a row of their own, never a right answer."""
    write(colour_model, record("test", "violet", 0.9, 0.05, 0.05), record("test", "blue", 0.9, 0.05, 0.05))
    results = read_results(colour_model)
    assert results.labels == [*CLASSES, "violet"]
    assert results.confusion == [[1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0]]
    assert results.score is not None and results.score.accuracy == 0.5
    assert [(each.label, each.accuracy) for each in results.per_class] == [("blue", 1.0), ("violet", 0.0)]


def test_no_answers(colour_model: Path) -> None:
    """A run without anything held out has no score; a model copied away from its run says so, with what to do."""
    write(colour_model)
    results = read_results(colour_model)
    assert results.score is None and results.per_class == [] and results.wrong == []
    assert results.confusion == [[0] * 3] * 3
    (colour_model.parent / "answers.jsonl").unlink()
    with pytest.raises(ModelError) as caught:
        read_results(colour_model)
    assert caught.value.code == "no-answers" and caught.value.fix


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        "{}",
        '{"split": "train", "path": "", "relative": "", "label": "", "probabilities": [1, 0, 0]}',
        '{"split": "val", "path": "", "relative": "", "label": "", "probabilities": [1]}',
    ],
)
def test_damaged_answers_are_a_sentence(colour_model: Path, line: str) -> None:
    """A file of ours that was changed is a ModelError that names it."""
    write(colour_model, *VAL)
    with (colour_model.parent / "answers.jsonl").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(ModelError, match=r"answers\.jsonl"):
        read_results(colour_model)


def test_results_of_a_whole_run_agree_with_its_report(colour_model: Path) -> None:
    """Ties go to the first class, as the model's own order has them."""
    answered = [Answered(Path("a"), "a", "blue", "blue", 0.5, [0.5, 0.5, 0.0])]
    assert Results("val", "", CLASSES, answered).confusion[0] == [1, 0, 0]
    write(colour_model, record("val", "green", 0.5, 0.5, 0.0))
    assert read_results(colour_model).answered[0].predicted == "blue"

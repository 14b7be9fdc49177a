from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from transfer_core.errors import DataError, ModelError
from transfer_core.evaluation.evaluate import evaluate

RED, GREEN, BLUE, WHITE = (200, 20, 20), (20, 200, 20), (20, 20, 200), (250, 250, 250)


@pytest.fixture
def data(tmp_path: Path, coloured) -> Path:
    """Three red, one of them called green; two blue, one of them white and so refused; one green."""
    folder = tmp_path / "labelled"
    for name, colour in {
        "red/1.png": RED,
        "red/2.png": RED,
        "green/really red.png": RED,
        "green/1.png": GREEN,
        "blue/1.png": BLUE,
        "blue/white.png": WHITE,
    }.items():
        coloured(name, colour, folder)
    return folder


def test_a_folder_is_scored(colour_model: Path, data: Path) -> None:
    """Accuracy, each class, confusion and refusals of a labelled folder, and progress to the end."""
    told: list[tuple[int, int]] = []
    evaluation = evaluate(colour_model, data, lambda done, total: told.append((done, total)))
    report = json.loads(json.dumps(evaluation.as_data()))
    right = sum(evaluation.results.confusion[n][n] for n in range(3))
    assert report["test"]["count"] == 6 and report["test"]["accuracy"] == pytest.approx(right / 6)
    assert evaluation.results.confusion[1] == [0, 1, 1] and evaluation.results.confusion[2] == [0, 0, 2]
    assert {each["label"]: each["count"] for each in report["per_class"]} == {"blue": 2, "green": 2, "red": 2}
    assert report["refused"] == 1 and report["unreadable"] == []
    assert report["classes"] == ["blue", "green", "red"]
    assert told == [(n, 6) for n in range(1, 7)]
    assert evaluation.results.wrong[0].relative == "green/really red.png"
    assert str(data) in evaluation.results.how


def test_files_that_can_not_be_read_are_told_and_not_counted(colour_model: Path, data: Path) -> None:
    """A broken picture is neither right nor wrong; other files are none of its business."""
    (data / "red" / "broken.jpg").write_text("x")
    (data / "red" / "notes.txt").write_text("x")
    (data / "stray.png").write_bytes((data / "red" / "1.png").read_bytes())
    evaluation = evaluate(colour_model, data)
    assert evaluation.results.score is not None and evaluation.results.score.count == 6
    assert [error["file"] for error in evaluation.unreadable] == [str(data / "red" / "broken.jpg")]


def test_of_a_divided_folder_the_test_side_counts(colour_model: Path, tmp_path: Path, coloured) -> None:
    """What was trained on is not what a score is for."""
    for name, colour in {
        "train/red/1.png": BLUE,
        "train/blue/1.png": RED,
        "test/red/1.png": RED,
        "test/blue/1.png": BLUE,
    }.items():
        coloured(name, colour, tmp_path / "divided")
    evaluation = evaluate(colour_model, tmp_path / "divided")
    assert evaluation.results.score is not None
    assert (evaluation.results.score.accuracy, evaluation.results.score.count) == (1.0, 2)


def test_classes_the_model_does_not_know_count_as_wrong(colour_model: Path, data: Path, coloured) -> None:
    """Pictures of an unknown class are in the count, under their own name."""
    coloured("violet/1.png", (180, 20, 160), data)
    evaluation = evaluate(colour_model, data)
    assert evaluation.results.labels[-1] == "violet"
    assert [each.accuracy for each in evaluation.results.per_class if each.label == "violet"] == [0.0]


def test_nothing_to_score(colour_model: Path, tmp_path: Path, data: Path) -> None:
    """An empty folder, a folder that is not there and a model that is none, each with its own sentence."""
    (tmp_path / "empty").mkdir()
    for folder, code in ((tmp_path / "empty", "no-images"), (tmp_path / "gone", "no-such-folder")):
        with pytest.raises(DataError) as caught:
            evaluate(colour_model, folder)
        assert caught.value.code == code
    with pytest.raises(ModelError):
        evaluate(tmp_path / "empty", data)


def test_only_unreadable_pictures(colour_model: Path, tmp_path: Path) -> None:
    """Nothing could be read: no score rather than a made-up one."""
    (tmp_path / "bad" / "red").mkdir(parents=True)
    (tmp_path / "bad" / "red" / "1.jpg").write_text("x")
    evaluation = evaluate(colour_model, tmp_path / "bad")
    assert evaluation.as_data()["test"] is None and len(evaluation.unreadable) == 1


def test_a_picture_without_its_extension_is_scored_as_it_is_scanned(colour_model: Path, data: Path) -> None:
    """What the sample table would use is what is scored."""
    (data / "red" / "1.png").rename(data / "red" / "download")
    evaluation = evaluate(colour_model, data)
    assert evaluation.results.score is not None and evaluation.results.score.count == 6


def test_a_table_is_scored_and_an_archive_is_not(colour_model: Path, data: Path, tmp_path: Path) -> None:
    """A CSV says the classes, whatever the folders are called; an archive would have to be unpacked somewhere."""
    table = data / "labels.csv"
    table.write_text("file,label\nred/1.png,red\nblue/1.png,red\n", encoding="utf-8")
    evaluation = evaluate(colour_model, table)
    assert evaluation.results.score is not None and evaluation.results.score.count == 2
    assert [answer.relative for answer in evaluation.results.wrong] == ["blue/1.png"]
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        archive.write(data / "red" / "1.png", "red/1.png")
    with pytest.raises(DataError) as caught:
        evaluate(colour_model, tmp_path / "data.zip")
    assert "unpack" in str(caught.value).lower()

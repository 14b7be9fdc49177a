"""`predict` and `evaluate`, with a model that answers by the name of the file."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from transfer_core.cli import main
from transfer_core.cli.copies import copy_beside
from transfer_core.cli.predict import pictures
from transfer_core.errors import ModelError
from transfer_core.files import as_cell
from transfer_core.models import predict as models_predict
from transfer_core.models.predict import Prediction

Answer = Callable[..., tuple[int, Any]]


class ByName:
    """Says the picture is of the class its name begins with; refuses "odd", can't read "broken"."""

    def __init__(self, folder: Path):
        if folder.name == "nowhere":
            raise ModelError("No model.", code="not-a-model", file=folder)

    def predict(self, paths: Iterable[Path]) -> Iterator[Prediction]:
        for path in paths:
            label = path.stem.rstrip("0123456789")
            error = {"code": "image", "message": "Broken.", "file": str(path), "fix": None} if label == "broken" else None
            if label == "fault":
                raise ModelError("The model is damaged.")
            yield Prediction(path, label, 0.75, label == "odd", [(label, 0.75), ("other", 0.25)], error)


@pytest.fixture(autouse=True)
def by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models_predict, "Predictor", ByName)


@pytest.fixture
def mixed(pictures: Path) -> Path:
    (pictures / "odd0.JPG").write_bytes(b"odd")
    (pictures / "cat" / "broken.png").write_bytes(b"broken")
    (pictures / "notes.txt").write_text("no picture")
    (pictures / ".hidden").mkdir()
    (pictures / ".hidden" / "cat9.png").write_bytes(b"")
    (pictures / "._cat0.png").write_bytes(b"")
    return pictures


def everything(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_folders_and_files(mixed: Path) -> None:
    found = [path.relative_to(mixed).as_posix() for path in pictures([mixed, mixed / "notes.txt"])]
    assert found == ["odd0.JPG", "cat/broken.png", "cat/cat0.png", "cat/cat1.png", "dog/dog0.png", "dog/dog1.png", "notes.txt"]


def test_json(answer: Answer, mixed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, data = answer("predict", "model", mixed)
    assert code == 0 and len(data) == 6
    assert data[0] == {"file": str(mixed / "odd0.JPG"), "class": "odd", "confidence": 0.75, "refused": True,
                       "top": [["odd", 0.75], ["other", 0.25]]}  # fmt: skip
    assert set(data[1]) == {"file", "error"} and data[1]["error"]["code"] == "image"


def test_in_words(mixed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "model", str(mixed)]) == 0
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert lines[0] == f"{mixed / 'odd0.JPG'}: none of these (nearest: odd, 75.0 %)"
    assert lines[1].endswith("broken.png: Broken.") and lines[2].endswith("cat0.png: cat, 75.0 %")
    assert captured.err == "6 pictures: 2 cat, 2 dog, 1 none of these, 1 not readable.\n"


def test_table(answer: Answer, mixed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (mixed / "=1+1.png").write_bytes(b"")
    file = tmp_path / "answers.csv"
    monkeypatch.chdir(mixed)
    code, data = answer("predict", "model", "=1+1.png", ".", "--csv", file)
    assert code == 0
    with file.open(newline="", encoding="utf-8") as opened:
        rows = list(csv.DictReader(opened))
    assert len(rows) == len(data) == 8
    assert rows[0] == {"file": "'=1+1.png", "class": "'=1+", "confidence": "0.750000", "refused": "false", "error": ""}
    assert [row["error"] for row in rows if row["file"].endswith("broken.png")] == ["Broken."]
    assert [row["refused"] for row in rows if row["file"].endswith("odd0.JPG")] == ["true"]


@pytest.mark.parametrize("cell", ["=A1", "+1", "-1", "@x", "\tx", "\rx"])
def test_no_formulas(cell: str) -> None:
    assert as_cell(cell) == "'" + cell
    assert as_cell("a" + cell) == "a" + cell


def test_a_table_named_like_a_picture(answer: Answer, mixed: Path) -> None:
    before = everything(mixed)
    code, data = answer("predict", "model", "--csv", *sorted(mixed.glob("cat/*.png")))
    assert code == 2 and data["error"]["code"] == "usage"
    assert everything(mixed) == before


def test_a_table_that_can_not_be_written(answer: Answer, mixed: Path, tmp_path: Path) -> None:
    code, data = answer("predict", "model", mixed, "--csv", tmp_path / "nowhere" / "a.csv")
    assert code == 2 and data["error"]["code"] == "storage" and "a.csv" in data["error"]["message"]


def test_copies(answer: Answer, mixed: Path, tmp_path: Path) -> None:
    before = everything(mixed)
    target = tmp_path / "sorted"
    for _ in range(2):  # the second time everything is there already
        assert answer("predict", "model", mixed, "--copy-into", target)[0] == 0
        copied = sorted(path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file())
        assert copied == ["_none of these/odd0.JPG", "cat/cat0.png", "cat/cat1.png", "dog/dog0.png", "dog/dog1.png"]
    assert everything(mixed) == before


def test_copies_never_overwrite(tmp_path: Path) -> None:
    folder = tmp_path / "into"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"mine")
    (tmp_path / "a.png").write_bytes(b"other")
    assert copy_beside(tmp_path / "a.png", folder).name == "a (2).png"
    assert copy_beside(tmp_path / "a.png", folder).name == "a (2).png"
    assert (folder / "a.png").read_bytes() == b"mine"
    with pytest.raises(OSError):
        copy_beside(tmp_path / "nowhere.png", folder)
    assert sorted(path.name for path in folder.iterdir()) == ["a (2).png", "a.png"]


def test_nothing_to_look_at(answer: Answer, tmp_path: Path) -> None:
    code, data = answer("predict", "model", tmp_path)
    assert code == 2 and data["error"]["code"] == "no-pictures"


def test_no_model(answer: Answer, mixed: Path) -> None:
    assert answer("predict", "nowhere", mixed)[1]["error"]["code"] == "not-a-model"


def test_an_error_in_the_middle_has_a_line_of_its_own(answer: Answer, mixed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (mixed / "fault.png").write_bytes(b"")
    assert main(["predict", "model", str(mixed / "cat" / "cat0.png"), str(mixed / "fault.png"), "--json"]) == 2
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and json.loads(lines[1])["error"]["message"] == "The model is damaged."


def test_evaluate(answer: Answer, pictures: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from transfer_core.evaluation import evaluate as module

    score = {"accuracy": 0.75, "low": 0.3, "high": 0.95, "count": 4}
    result = {"test": score, "per_class": [{"label": "cat", **score}]}

    class Evaluation:
        def as_data(self) -> dict[str, Any]:
            return result

    monkeypatch.setattr(module, "evaluate", lambda model, data: Evaluation())
    assert answer("evaluate", "model", pictures) == (0, result)
    assert main(["evaluate", "model", str(pictures)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "Test: 75.0 % right (between 30.0 % and 95.0 %, on 4 pictures).",
        "  cat: 75.0 % right (between 30.0 % and 95.0 %, on 4 pictures)",
    ]

from __future__ import annotations

import errno
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from transfer_core.errors import ModelError, StorageError
from transfer_core.images.view import View
from transfer_core.models.card import model_card
from transfer_core.models.folder import Model, write_model_folder


def damage(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    file = folder / "model.json"
    data = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(change(data) or data), encoding="utf-8")


def test_a_model_comes_back_as_it_was_written(colour_model: Path) -> None:
    """All that a tool needs to answer is in the folder, and reads back alike; its run's folder will do as well."""
    model = Model.read(colour_model)
    assert model.classes == ["blue", "green", "red"] and model.view == View(8, 12)
    assert Model.read(colour_model.parent) == model
    before = (colour_model / "model.json").read_bytes()
    model.write()
    assert (colour_model / "model.json").read_bytes() == before
    data = json.loads(before)
    assert data["schema"] == 1 and data["preprocessing"]["crop"] == 8
    assert sorted(path.name for path in colour_model.iterdir()) == ["README.md", "model.json", "model.onnx"]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), ValueError("a bug"), KeyboardInterrupt()])
@pytest.mark.parametrize("there", [True, False])
def test_whole_or_not_at_all(colour_model: Path, error: BaseException, there: bool) -> None:
    """A write that breaks off leaves the old model, or none where there was none, and nothing beside it."""
    target = colour_model if there else colour_model.with_name("other")

    def fill(folder: Path) -> None:
        (folder / "model.json").write_text("{}")
        raise error

    with pytest.raises(StorageError if isinstance(error, OSError) else type(error)):
        write_model_folder(target, fill)
    assert sorted(path.name for path in colour_model.parent.iterdir()) == ["model"]
    assert Model.read(colour_model).classes == ["blue", "green", "red"]


def test_a_new_model_takes_the_place_of_the_old(colour_model: Path) -> None:
    """Files of the old one don't linger in the new one, and leftovers of a killed write don't either."""
    (colour_model / "extra").write_text("old")
    for leftover in (".model.partial", ".model.old"):
        (colour_model.parent / leftover).mkdir()
        (colour_model.parent / leftover / "half").write_text("")
    write_model_folder(colour_model, lambda folder: (folder / "only").write_text("new"))
    assert [path.name for path in colour_model.iterdir()] == ["only"]
    assert [path.name for path in colour_model.parent.iterdir()] == ["model"]


def test_the_old_model_comes_back_when_the_new_one_can_not_take_its_place(
    colour_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last rename fails, as on Windows with a file held open: the old model is still there."""
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if self.name == ".model.partial":
            raise PermissionError(errno.EACCES, "Access is denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(StorageError):
        write_model_folder(colour_model, lambda folder: (folder / "only").write_text("new"))
    assert Model.read(colour_model).classes == ["blue", "green", "red"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'"text"', b"null", b"5", b"{}", b"\xff\xfe"])
def test_a_damaged_file_is_a_sentence(colour_model: Path, content: bytes) -> None:
    """Anything in the place of model.json is a ModelError that names it."""
    (colour_model / "model.json").write_bytes(content)
    with pytest.raises(ModelError) as caught:
        Model.read(colour_model)
    assert caught.value.file == str(colour_model / "model.json")


DAMAGES: dict[str, Callable[[dict[str, Any]], Any]] = {
    **{
        f"without {name}": (lambda data, name=name: data.pop(name) and None)
        for name in ("schema", "classes", "preprocessing", "refusal")
    },
    "schema is text": lambda data: data.update(schema="one"),
    "crop is larger": lambda data: data["preprocessing"].update(crop=99),
    "crop is text": lambda data: data["preprocessing"].update(crop="8"),
    "classes is a text": lambda data: data.update(classes="abc"),
    "classes are none": lambda data: data.update(classes=[]),
    "classes are numbers": lambda data: data.update(classes=[1, 2, 3]),
    "threshold is missing": lambda data: data.update(refusal={}),
    "threshold is text": lambda data: data["refusal"].update(threshold="high"),
    "refusal is a list": lambda data: data.update(refusal=[]),
    "scores are none": lambda data: data.update(scores=None),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_each_damaged_field_is_a_sentence(colour_model: Path, name: str) -> None:
    """A field that is missing or of the wrong kind is found on reading, not in the middle of answering."""
    damage(colour_model, DAMAGES[name])
    with pytest.raises(ModelError):
        Model.read(colour_model)


def test_a_newer_model_is_refused(colour_model: Path) -> None:
    """What a later version wrote is not guessed at."""
    damage(colour_model, lambda data: data.update(schema=2))
    with pytest.raises(ModelError) as caught:
        Model.read(colour_model)
    assert caught.value.code == "newer-schema"


def test_what_is_not_a_model(tmp_path: Path, colour_model: Path) -> None:
    """A missing folder, an empty one and a model without its graph."""
    for folder in (tmp_path / "gone", tmp_path):
        with pytest.raises(ModelError) as caught:
            Model.read(folder)
        assert caught.value.code == "not-a-model" and caught.value.fix
    (colour_model / "model.onnx").unlink()
    with pytest.raises(ModelError, match=r"model\.onnx"):
        Model.read(colour_model)


def test_the_card_tells_what_a_stranger_needs(colour_model: Path) -> None:
    """How good, measured how, made from what, and how to prepare a picture."""
    card = (colour_model / "README.md").read_text(encoding="utf-8")
    for words in (
        "`blue`, `green`, `red`",
        "100.0% right (94.0% to 100.0%) of 60",
        "`colours`",
        "uint8 `[n, 8, 8, 3]`",
        "12",
        "none of these",
    ):
        assert words in card
    assert "(test)" not in card


def test_names_in_the_card_are_no_markup(colour_model: Path) -> None:
    """A class called like a script or a link is shown, not run."""
    data = json.loads((colour_model / "model.json").read_text())
    data["classes"] = ["<script>alert(1)</script>", "[x](javascript:y)", "`tick`\n# heading", "b"]
    card = model_card(data)
    line = next(line for line in card.splitlines() if "alert" in line)
    for piece in ("<script>alert(1)</script>", "[x](javascript:y)", "'tick' # heading"):
        assert f"`{piece}`" in line
    assert not re.search(r"^# heading", card, re.MULTILINE)

"""What DATA may be, what is said of how its classes are told, and the options that say it."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from transfer_core.cli.reading import project_at
from transfer_core.data.project import Project
from transfer_core.data.reading import Reading
from transfer_core.data.scan import scan
from transfer_core.errors import TransferError

Answer = Callable[..., tuple[int, Any]]


@pytest.fixture
def nested(tmp_path: Path) -> Path:
    for kind in ("oak", "elm"):
        for site in ("north", "south"):
            folder = tmp_path / "trees" / kind / site
            folder.mkdir(parents=True)
            for number in range(3):
                Image.new("RGB", (8, 8), (number, len(kind), len(site))).save(folder / f"t{number}_{kind}{site}.png")
    return tmp_path / "trees"


def said(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    assert not captured.out, "standard output is for the answer"
    return captured.err


def test_a_clear_folder_needs_no_word(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert project_at(pictures).sources[0].reading == Reading()
    assert said(capsys) == ""


def test_the_likeliest_reading_is_taken_and_told(nested: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Which it is, what it gives, and how to choose another; the second time it is known."""
    assert project_at(nested).sources[0].reading == Reading()
    text = said(capsys)
    assert "The first folder is the class. elm (6), oak (6)" in text and "--labels and one of: innermost, path" in text
    project_at(nested)
    assert said(capsys) == ""


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        ("folders", {"oak", "elm"}),
        ("innermost", {"north", "south"}),
        ("2", {"north", "south"}),
        ("path", {"oak / north", "oak / south", "elm / north", "elm / south"}),
        ("names:t{number}_{class}", {"oaknorth", "oaksouth", "elmnorth", "elmsouth"}),
    ],
)
def test_labels_say_it(labels: str, classes: set[str], nested: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project = project_at(nested, labels=labels)
    scan(project)
    assert {count.label for count in project.table.classes()} == classes
    assert said(capsys) == "" and project_at(nested, labels=labels).folder == project.folder


def test_a_group_for_what_belongs_together(nested: Path) -> None:
    project = project_at(nested, group="{group}_{any}")
    scan(project)
    assert {sample.given_group for sample in project.table.samples()} == {"t0", "t1", "t2"}


def test_a_zip_is_unpacked_before_the_run(nested: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "trees.zip", "w") as archive:
        for path in nested.rglob("*.png"):
            archive.write(path, path.relative_to(nested))
    project = project_at(tmp_path / "trees.zip", labels="innermost")
    assert (project.folder / "imports" / "trees" / "oak").is_dir()
    assert scan(project).images == 12 and {count.label for count in project.table.classes()} == {"north", "south"}


def test_a_table_says_its_columns(nested: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [f"{path.relative_to(nested.parent)},{path.parent.parent.name}" for path in sorted(nested.rglob("*.png"))]
    (nested.parent / "list.csv").write_text("path,species\n" + "\n".join(lines))
    project = project_at(nested.parent / "list.csv")
    assert "its column species of the file in its column path" in said(capsys)
    assert scan(project).images == 12
    with pytest.raises(TransferError) as caught:
        project_at(nested.parent / "list.csv", labels="folders")
    assert caught.value.code == "usage"


@pytest.mark.parametrize("options", [["--labels", "magic"], ["--labels", "names:{x}"], ["--group", "{class}"], ["--group", ""]])
def test_options_that_can_not_be_told(options: list[str], pictures: Path, answer: Answer, own_home: Path) -> None:
    """Nothing is made of them."""
    code, data = answer("train", pictures, *options)
    assert code == 2 and data["error"]["fix"]
    assert not list(own_home.glob("*/project.toml"))


def test_a_project_knows_already(pictures: Path, answer: Answer) -> None:
    project = Project.for_source(pictures)
    for options in (["--labels", "folders"], ["--group", "{group}_{any}"]):
        code, data = answer("train", project.folder, *options)
        assert (code, data["error"]["code"]) == (2, "usage")


def test_a_hostile_zip_is_an_answer(tmp_path: Path, answer: Answer, own_home: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr("../x.png", b"x")
    code, data = answer("train", tmp_path / "bad.zip")
    assert (code, data["error"]["code"]) == (2, "hostile-archive")
    assert not list(own_home.glob("*/project.toml"))

"""The cleaned set elsewhere: what edits say is what is written, names are data, nothing of the user's is overwritten, and it goes on."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest

from transfer_core.data import export
from transfer_core.data.edits import Edits
from transfer_core.data.export import to_csv, to_folders, write_csv
from transfer_core.data.project import Project, Source
from transfer_core.data.scan import scan
from transfer_core.errors import DataError, StorageError

Draw = Callable[..., Path]


@pytest.fixture
def project(tmp_path: Path, draw: Draw) -> Project:
    """Two sources with files of the same names; a picture was relabelled, one excluded, one is broken."""
    one = draw(tmp_path / "one", "cat/1.png", "cat/2.png", "cat/3.png", "dog/1.png", "dog/2.png")
    two = draw(tmp_path / "two", "cat/1.png", "dog/1.PNG")
    (one / "cat" / "broken.png").write_bytes(b"nothing")
    made = Project.create("mine", [Source(one), Source(two)])
    scan(made)
    ids = {(sample.source, sample.relative): sample.id for sample in made.table.samples()}
    Edits(made).relabel([ids[0, "cat/3.png"]], "=2+3")
    Edits(made).exclude([ids[0, "dog/2.png"]])
    return made


def everything(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def table(project: Project) -> list[dict[str, str]]:
    file = io.BytesIO()
    count = write_csv(project, file)
    rows = list(csv.DictReader(io.StringIO(file.getvalue().decode(), newline="")))
    assert count == len(rows)
    return rows


def test_a_table_of_what_is_in_use(project: Project, tmp_path: Path) -> None:
    """Edits count, what is excluded or broken is not in it, and a class that looks like a formula is text."""
    rows = table(project)
    assert {row["file"] for row in rows} == {str(sample.path) for sample in project.table.samples()}
    assert len(rows) == 6 and all(row["split"] in ("train", "val", "test") for row in rows)
    changed = [row for row in rows if row["given_label"]]
    assert [(Path(row["file"]).name, row["label"], row["given_label"]) for row in changed] == [("3.png", "'=2+3", "cat")]
    file = tmp_path / "out.csv"
    assert to_csv(project, file) == 6 and file.read_text(encoding="utf-8").startswith("file,label,split,given_label")


def test_a_table_overwrites_nothing(project: Project, tmp_path: Path) -> None:
    file = tmp_path / "out.csv"
    file.write_text("mine")
    with pytest.raises(DataError) as caught:
        to_csv(project, file)
    assert caught.value.code == "file-exists" and file.read_text() == "mine"
    with pytest.raises(StorageError):
        to_csv(project, tmp_path / "nowhere" / "out.csv")


def test_what_is_edited_meanwhile_changes_nothing(project: Project, tmp_path: Path) -> None:
    """An export is of one moment: a class that is renamed on another page neither stops it nor has pictures left out."""

    def rename() -> None:
        if project.table.count(label="dog"):
            Edits(project).rename("dog", "aardvark")

    report = to_folders(project, tmp_path / "out", checkpoint=rename)
    assert report.pictures == 6 and project.table.count(label="aardvark") == 2
    assert sorted(everything(tmp_path / "out")) == [
        "=2+3/3.png", "cat/1 (2).png", "cat/1.png", "cat/2.png", "dog/1 (2).PNG", "dog/1.png",
    ]  # fmt: skip


def test_folders_of_what_is_in_use(project: Project, tmp_path: Path) -> None:
    """Files of one name are numbered, also where only upper and lower case differ; originals stay as they are."""
    before = [everything(source.folder) for source in project.sources]
    told: list[tuple[int, int]] = []
    done = to_folders(project, tmp_path / "new" / "copy", progress=lambda done, total: told.append((done, total)))
    copies = everything(tmp_path / "new" / "copy")
    assert sorted(copies) == ["=2+3/3.png", "cat/1 (2).png", "cat/1.png", "cat/2.png", "dog/1 (2).PNG", "dog/1.png"]
    assert sorted(copies.values()) == sorted(sample.path.read_bytes() for sample in project.table.samples())
    assert (done.pictures, done.missing, done.renamed, told[-1]) == (6, [], {}, (6, 6))
    assert [everything(source.folder) for source in project.sources] == before


def test_folders_by_split(project: Project, tmp_path: Path) -> None:
    """As a folder that this program reads again, with the same division."""
    to_folders(project, tmp_path / "copy", by_split=True)
    again = Project.for_source(tmp_path / "copy")
    scan(again)
    assert sorted((s.content, s.label, s.split) for s in again.table.samples()) == sorted(
        (s.content, s.label, s.split) for s in project.table.samples()
    )


def test_names_of_classes_lead_nowhere_else(project: Project, tmp_path: Path) -> None:
    """A class may be called anything; its folder lies in the folder, and which name it has is told."""
    edits = Edits(project)
    edits.rename("cat", "../../x")
    edits.rename("dog", "CON")
    done = to_folders(project, tmp_path / "copy")
    assert done.renamed == {"../../x": "_.._.._x", "CON": "_CON"}
    assert {path.parent.parent for path in (tmp_path / "copy").rglob("*.png")} == {tmp_path / "copy"}


@pytest.mark.parametrize("where", ["one", "one/cat", "home"])
def test_not_among_the_pictures(project: Project, tmp_path: Path, where: str) -> None:
    """Copies there would be taken for new pictures, or be lost with a cache."""
    folder = project.folder / "copy" if where == "home" else tmp_path / where / "copy"
    with pytest.raises(DataError) as caught:
        to_folders(project, folder)
    assert caught.value.code == "inside-source" and not folder.exists()


def test_not_where_something_is(project: Project, tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "mine").write_text("mine")
    with pytest.raises(DataError) as caught:
        to_folders(project, tmp_path / "copy")
    assert caught.value.code == "not-empty" and [path.name for path in (tmp_path / "copy").iterdir()] == ["mine"]
    with pytest.raises(DataError) as caught:
        to_folders(project, tmp_path / "copy" / "mine")
    assert caught.value.code == "not-a-folder"


def test_what_was_stopped_goes_on(project: Project, tmp_path: Path) -> None:
    """What is there is not copied again, half a file is not taken for a whole one, and with other edits it is another export."""
    folder, passed = tmp_path / "copy", 0

    def stop() -> None:
        nonlocal passed
        passed += 1
        if passed == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        to_folders(project, folder, checkpoint=stop)
    first = {name: (folder / name).stat().st_mtime_ns for name in everything(folder)}
    assert len([name for name in first if name.lower().endswith("png")]) == 3
    (folder / "cat" / export.PARTIAL).write_bytes(b"half")
    Edits(project).relabel([project.table.samples()[0].id], "dog")
    with pytest.raises(DataError) as caught:
        to_folders(project, folder)
    assert caught.value.code == "not-empty"
    Edits(project).undo()
    done = to_folders(project, folder)
    after = everything(folder)
    assert done.pictures == 6 and len(after) == 6 and export.MARK not in after
    kept = {name: time for name, time in first.items() if name in after}
    assert len(kept) == 3 and all((folder / name).stat().st_mtime_ns == time for name, time in kept.items())


def test_a_picture_that_went_is_told_and_stops_nothing(project: Project, tmp_path: Path) -> None:
    project.table.samples()[0].path.unlink()
    done = to_folders(project, tmp_path / "copy")
    assert done.pictures == 5 and len(done.missing) == 1 and done.missing[0][1]
    assert done.as_data()["folder"] == str(tmp_path / "copy")


def test_a_source_that_went_is_told_before_anything_is_copied(project: Project, tmp_path: Path) -> None:
    (tmp_path / "two").rename(tmp_path / "elsewhere")
    with pytest.raises(DataError) as caught:
        to_folders(project, tmp_path / "copy")
    assert caught.value.code == "source-moved" and not (tmp_path / "copy").exists()


def test_a_folder_that_can_not_be_made(project: Project, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StorageError):
        to_folders(project, tmp_path / "file" / "copy")

"""Edits: nothing but what was asked for changes, all of it can be taken back, and it holds when files change."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path

import pytest

from transfer_core.data.edits import Edits, class_name
from transfer_core.data.groups import Pair, keep_pairs
from transfer_core.data.project import Project, Source
from transfer_core.data.samples import Sample
from transfer_core.data.scan import scan
from transfer_core.data.settle import settle
from transfer_core.data.split import Shares
from transfer_core.errors import DataError

Draw = Callable[..., Path]


@pytest.fixture
def project(tmp_path: Path, draw: Draw) -> Project:
    """Ten pictures of cats and of dogs."""
    made = Project.create("p", [draw(tmp_path / "data", *(f"{label}/{n}.png" for label in ("cat", "dog") for n in range(10)))])
    scan(made)
    return made


def ids(project: Project, *relatives: str) -> list[int]:
    known = {sample.relative: sample.id for sample in project.table.samples(state=None)}
    return [known[relative] for relative in relatives]


def whole(project: Project) -> list[Sample]:
    return project.table.samples(state=None)


def labels(project: Project) -> dict[str, str | None]:
    return {sample.relative: sample.label for sample in whole(project)}


def test_each_kind_does_its_one_thing_and_is_taken_back(project: Project) -> None:
    """The table after undoing is the table before, row by row; after redoing, that after the edit."""
    edits = Edits(project)
    two = ids(project, "cat/1.png", "cat/2.png")
    steps: list[Callable[[], None]] = [
        lambda: edits.relabel(two, "lynx"),
        lambda: edits.exclude(two),
        lambda: edits.rename("dog", "hound"),
        lambda: edits.restore(two[:1]),
        lambda: edits.move(ids(project, "dog/3.png"), "test"),
        lambda: edits.rename("lynx", "cat"),
    ]
    states = [whole(project)]
    for step in steps:
        step()
        states.append(whole(project))
        assert states[-1] != states[-2]
    after = {sample.relative: sample for sample in states[-1]}
    assert (after["cat/1.png"].label, after["cat/1.png"].state) == ("cat", "in")
    assert after["cat/2.png"].state == "excluded" and project.table.count() == 19
    assert (after["dog/3.png"].label, after["dog/3.png"].split, after["dog/3.png"].given_label) == ("hound", "test", "dog")
    for before in states[-2::-1]:
        assert edits.undo() is not None
        assert whole(project) == before
    assert edits.undo() is None and edits.next_undo() is None
    for state in states[1:]:
        assert edits.redo() is not None
        assert whole(project) == state
    assert edits.redo() is None and edits.next_redo() is None


def test_a_new_edit_ends_what_could_be_redone(project: Project) -> None:
    """As everywhere: after undo and something new there is no way back into the old future."""
    edits = Edits(project)
    edits.relabel(ids(project, "cat/1.png"), "dog")
    edits.undo()
    edits.relabel(ids(project, "cat/2.png"), "dog")
    assert edits.redo() is None
    assert [name for name, label in labels(project).items() if label != name.split("/")[0]] == ["cat/2.png"]
    assert [edit.words for edit in edits.history()] == ["1 picture to dog"]


def test_they_survive_a_restart_and_another_scan(project: Project, draw: Draw) -> None:
    """Files come, go and change; what was said of a file holds, and a renamed class takes in what its folder gets."""
    edits = Edits(project)
    edits.relabel(ids(project, "cat/1.png"), "dog")
    edits.exclude(ids(project, "dog/1.png"))
    edits.rename("cat", "kitten")
    folder = project.sources[0].folder
    (folder / "cat/1.png").rename(folder.parent / "aside.png")
    draw(folder, "cat/new.png", "dog/1.png")
    again = Project.open(project.folder)
    scan(again)
    assert labels(again)["cat/new.png"] == "kitten" and "cat/1.png" not in labels(again)
    assert {s.relative for s in again.table.samples(state="excluded")} == {"dog/1.png"}
    (folder.parent / "aside.png").rename(folder / "cat/1.png")
    scan(again)
    assert labels(again)["cat/1.png"] == "dog"
    Edits(again).undo()
    assert labels(again)["cat/new.png"] == "cat"


def test_the_files_stay_as_they_are(project: Project) -> None:
    """Rule 5: the user's files are never changed, moved or deleted."""
    folder = project.sources[0].folder
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*.png")}
    edits = Edits(project)
    edits.relabel(ids(project, "cat/1.png"), "dog")
    edits.exclude(ids(project, "cat/2.png"))
    edits.rename("dog", "cat")
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*.png")} == before


def test_what_belongs_together_moves_together(project: Project) -> None:
    """No edit parts a group; its other members come along, also those that join it later."""
    contents = {sample.relative: sample.content for sample in project.table.samples()}
    with project.table.connect() as connection:
        keep_pairs(connection, [Pair(contents["cat/1.png"], contents["cat/2.png"], "burst", 0.8)])
    settle(project.table, project.shares)
    Edits(project).move(ids(project, "cat/1.png"), "test")
    with project.table.connect() as connection:
        keep_pairs(connection, [Pair(contents["cat/3.png"], contents["cat/2.png"], "burst", 0.8)])
    settle(project.table, project.shares)
    splits = {sample.relative: sample.split for sample in project.table.samples()}
    assert {splits[f"cat/{n}.png"] for n in (1, 2, 3)} == {"test"}


def test_an_excluded_held_out_picture_frees_its_copy(tmp_path: Path, draw: Draw) -> None:
    """A training picture is left out only as long as its copy is used for testing."""
    folder = draw(tmp_path / "data", *(f"train/{label}/{n}.png" for label in ("cat", "dog") for n in range(4)))
    (folder / "test" / "cat").mkdir(parents=True)
    copy = folder / "test" / "cat" / "copy.png"
    copy.write_bytes((folder / "train/cat/0.png").read_bytes())
    project = Project.create("p", [Source(folder)])
    scan(project)
    assert [s.relative for s in project.table.left_out()] == ["train/cat/0.png"]
    edits = Edits(project)
    edits.exclude(ids(project, "test/cat/copy.png"))
    assert project.table.left_out() == []
    edits.undo()
    assert [s.relative for s in project.table.left_out()] == ["train/cat/0.png"]


def test_kept_findings_are_remembered_by_check(project: Project) -> None:
    """What is fine as it is isn't told again; taken back, it is."""
    edits = Edits(project)
    edits.keep("outliers", ["a", "b"])
    edits.keep("bursts", ["c"])
    assert (edits.kept("outliers"), edits.kept("bursts")) == ({"a", "b"}, {"c"})
    edits.undo()
    assert edits.kept("bursts") == set() and edits.kept("outliers") == {"a", "b"}


def test_nothing_to_edit_is_no_edit(project: Project) -> None:
    """An empty selection and a class renamed to itself leave nothing to undo."""
    edits = Edits(project)
    edits.exclude([])
    edits.relabel([10**6], "dog")
    edits.rename("cat", " cat ")
    assert edits.history() == []
    with pytest.raises(DataError):
        edits.rename("cow", "cat")


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 201, "\ud800"])
def test_names_that_will_not_do(name: str) -> None:
    """A class needs a name that can be shown on a line and written down."""
    with pytest.raises(DataError) as caught:
        class_name(name)
    assert caught.value.code == "bad-class-name"


def edit_many(folder: Path, relatives: list[str]) -> None:
    project = Project.open(folder)
    for relative in relatives:
        Edits(project).relabel(ids(project, relative), "dog")


def test_two_pages_edit_at_the_same_time(project: Project) -> None:
    """Nothing is lost, and the history holds all of it."""
    context = multiprocessing.get_context("spawn")
    halves = [[f"cat/{n}.png" for n in range(5)], [f"cat/{n}.png" for n in range(5, 10)]]
    writers = [context.Process(target=edit_many, args=(project.folder, half)) for half in halves]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert set(labels(project).values()) == {"dog"}
    assert len(Edits(project).history()) == 10


def test_divided_anew_by_free_shares(project: Project) -> None:
    """Shares and seed are kept with the project; moves stay."""
    Edits(project).move(ids(project, "cat/1.png"), "test")
    project.divide(Shares(val=0.0, test=0.5, seed=3))
    again = Project.open(project.folder)
    assert again.shares == Shares(0.0, 0.5, 3)
    assert (again.table.count(split="test"), again.table.count(split="val")) == (
        6,
        0,
    )  # half of the free dogs; nine free cats are too few
    assert {s.relative: s.split for s in again.table.samples()}["cat/1.png"] == "test"
    with pytest.raises(DataError):
        project.divide(Shares(val=0.1, test=0.9))

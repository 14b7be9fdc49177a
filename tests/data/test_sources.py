"""Projects of several sources by every door: found again, added to, moved, and only what is new is read."""

from __future__ import annotations

import shutil
import tomllib
import zipfile
from pathlib import Path

import pytest

from transfer_core.data import archives
from transfer_core.data.guess import source_at
from transfer_core.data.project import Project, recent_folders
from transfer_core.data.reading import Reading, Source
from transfer_core.data.scan import scan
from transfer_core.data.sources import found_in
from transfer_core.errors import DataError


@pytest.fixture
def pets(tmp_path: Path, draw) -> Path:
    return draw(tmp_path / "in" / "pets", *(f"{label}/p{n // 2}_{n}.png" for label in ("cat", "dog") for n in range(6)))


@pytest.fixture
def flat(tmp_path: Path, draw) -> Path:
    return draw(tmp_path / "in" / "flat", *(f"{label}_{n}.png" for label in ("cat", "fox") for n in range(4)))


@pytest.fixture
def packed(tmp_path: Path, draw) -> Path:
    folder = draw(tmp_path / "raw", *(f"{label}/{n}.png" for label in ("cat", "owl") for n in range(4)))
    file = tmp_path / "in" / "birds and cats.zip"
    file.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(file, "w") as archive:
        for path in sorted(folder.rglob("*.png")):
            archive.write(path, path.relative_to(folder))
    shutil.rmtree(folder)
    return file


@pytest.fixture
def listed(tmp_path: Path, draw) -> Path:
    folder = draw(tmp_path / "in" / "listed", *(f"img/{n}.png" for n in range(6)))
    lines = [f"{n}.png,{'cow' if n % 2 else 'cat'},herd{n // 3}" for n in range(6)]
    (folder / "labels.csv").write_text("file,label,group\n" + "\n".join(lines), encoding="utf-8")
    return folder / "labels.csv"


def counts(project: Project) -> dict[str, int]:
    return {count.label: count.total for count in project.table.classes()}


def test_every_door_makes_a_project_that_is_found_again(pets: Path, flat: Path, packed: Path, listed: Path) -> None:
    """Opened twice, each is one project, with its name, and the table has its classes and groups."""
    names = {"pets": pets, "flat": flat, "birds and cats": packed, "listed": listed}
    for name, door in names.items():
        project = Project.for_source(door)
        assert project.name == name and Project.for_source(door).folder == project.folder
        scan(project)
        again = Project.open(project.folder)
        assert again.sources == project.sources and len(counts(project)) == 2
        assert scan(again).read == 0
    assert Project.for_source(listed.parent).name == "listed", "by the folder as well"
    assert {sample.given_group for sample in Project.for_source(listed).table.samples()} == {"herd0", "herd1"}
    assert set(recent_folders()) == set(names.values())


def test_an_archive_is_unpacked_into_the_project(packed: Path) -> None:
    """Once; with the archive gone the pictures stay, with both gone they are missed, with the archive back it is unpacked again."""
    project = Project.for_source(packed)
    inside = project.folder / "imports" / "birds and cats"
    assert project.sources[0].folder == inside and not inside.exists() and not project.missing_sources()
    scan(project)
    assert sorted(path.name for path in inside.iterdir()) == ["cat", "owl"]
    data = packed.read_bytes()
    packed.unlink()
    assert not project.missing_sources() and scan(project).read == 0
    shutil.rmtree(inside)
    assert project.missing_sources() == [inside]
    with pytest.raises(DataError):
        scan(project)
    packed.write_bytes(data)
    assert not project.missing_sources() and scan(project).images == 8


def test_an_archive_that_changed_is_unpacked_anew(packed: Path) -> None:
    """More pictures in a zip of the same name come in with the next scan; those that were there keep what is known of them."""
    project = Project.for_source(packed)
    scan(project)
    before = {sample.relative: (sample.id, sample.split) for sample in project.table.samples()}
    with zipfile.ZipFile(packed, "a") as archive:
        archive.writestr("owl/new.png", (project.folder / "imports" / "birds and cats" / "owl" / "0.png").read_bytes() + b"x")
    assert scan(project).images == 9
    after = {sample.relative: (sample.id, sample.split) for sample in project.table.samples()}
    assert before.items() <= after.items() and set(after) - set(before) == {"owl/new.png"}
    assert not list((project.folder / "imports").glob(".*.partial")) and scan(project).read == 0


def test_killed_right_after_unpacking(packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is still known which archive lies unpacked, so that a changed one comes in."""
    project = Project.for_source(packed)

    def killed(*_arguments: object) -> None:
        raise KeyboardInterrupt

    unpack = archives.unpack
    monkeypatch.setattr(archives, "unpack", lambda *arguments: killed(unpack(*arguments)))
    with pytest.raises(KeyboardInterrupt):
        scan(project)
    monkeypatch.setattr(archives, "unpack", unpack)
    with zipfile.ZipFile(packed, "a") as archive:
        archive.writestr("owl/new.png", b"x")
    assert scan(project).left_out == 1


def test_a_project_moved_as_a_whole_keeps_what_was_unpacked(packed: Path, tmp_path: Path) -> None:
    """Folders inside of it are written relative to it."""
    project = Project.for_source(packed)
    scan(project)
    packed.unlink()
    moved = Project.open(project.folder.rename(tmp_path / "moved"))
    assert not moved.missing_sources() and scan(moved).read == 0
    assert tomllib.loads((moved.folder / "project.toml").read_text())["sources"][0]["folder"] == "imports/birds and cats"


def test_a_hostile_archive_makes_no_project(tmp_path: Path) -> None:
    """It is looked at before anything is made."""
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr("../x.png", b"x")
    with pytest.raises(DataError):
        Project.for_source(tmp_path / "bad.zip")
    assert not list((tmp_path / "home").glob("*"))


def test_more_pictures_at_any_time(pets: Path, flat: Path, packed: Path, listed: Path) -> None:
    """Sources are added one by one; only theirs is read, classes of one name are one, and what was divided stays."""
    project = Project.for_source(pets)
    scan(project)
    before = {sample.id: sample.split for sample in project.table.samples()}
    for door, total, read in ((flat, 20, 8), (packed, 28, 8), (listed, 34, 6)):
        Project.open(project.folder).add_source(project.source_of(door))
        report = scan(Project.open(project.folder))
        assert (report.images, report.read) == (total, read)
    project = Project.open(project.folder)
    assert counts(project) == {"cat": 17, "cow": 3, "dog": 6, "fox": 4, "owl": 4}
    assert before.items() <= {sample.id: sample.split for sample in project.table.samples()}.items()
    assert Project.for_source(pets).folder == project.folder, "found again by what it began with"
    for door in (flat, packed, listed, pets):
        with pytest.raises(DataError) as caught:
            project.add_source(project.source_of(door))
        assert caught.value.code == "already-there"


def test_two_tabs_add_at_once(pets: Path, flat: Path, listed: Path) -> None:
    """What another one added since is not lost."""
    one, other = Project.for_source(pets), Project.for_source(pets)
    one.add_source(one.source_of(flat))
    other.add_source(other.source_of(listed))
    assert len(Project.open(one.folder).sources) == 3


def test_a_folder_of_one_class(pets: Path, tmp_path: Path, draw) -> None:
    """A heap of pictures of one kind is added under the name that it is given."""
    heap = draw(tmp_path / "heap", "1.png", "more/2.png", "more/3.png")
    project = Project.for_source(pets)
    project.add_source(Source(heap, reading=Reading("class", label="hen")))
    scan(project)
    assert counts(project) == {"cat": 6, "dog": 6, "hen": 3}


def test_groups_by_a_pattern(pets: Path) -> None:
    """Whatever tells the class, a pattern may tell who belongs together."""
    project = Project.for_source(pets, reading=Reading(group="{group}_{number}"))
    scan(project)
    samples = project.table.samples()
    assert {sample.given_group for sample in samples} == {"p0", "p1", "p2"}
    by_group: dict[str | None, set[str | None]] = {}
    for sample in samples:
        by_group.setdefault(sample.given_group, set()).add(sample.split)
    assert all(len(splits) == 1 for splits in by_group.values())


def test_another_reading_is_another_project(tmp_path: Path, draw) -> None:
    """The same folder read otherwise; opened without a word, the first one comes back."""
    nested = draw(
        tmp_path / "nested", *(f"{a}/{b}/{n}.png" for a in ("oak", "elm") for b in ("north", "south") for n in range(2))
    )
    first = Project.for_source(nested)
    inner = Project.for_source(nested, reading=Reading(depth="innermost"))
    assert first.folder != inner.folder and Project.for_source(nested, reading=Reading(depth="innermost")).folder == inner.folder
    assert Project.for_source(nested).folder in (first.folder, inner.folder)
    scan(inner)
    assert set(counts(inner)) == {"north", "south"}


def test_a_moved_source_keeps_its_reading(flat: Path, listed: Path) -> None:
    """Found again by its files, names and tables alike."""
    for door in (flat, listed):
        project = Project.for_source(door)
        scan(project)
        old = project.sources[0].folder
        new = old.rename(old.with_name(old.name + " moved"))
        assert project.missing_sources() == [old] and project.find_moved(old) == new
        project.move_source(old, new)
        again = Project.open(project.folder)
        assert again.sources[0].reading == project.sources[0].reading and scan(again).read == 0


def test_an_archive_among_the_pictures_is_told(pets: Path, packed: Path) -> None:
    """It is not opened, and that is said."""
    shutil.copy(packed, pets / "cat" / "more.zip")
    told = {found.path.name: found.reason for found in found_in(Source(pets)) if found.reason}
    assert list(told) == ["more.zip"] and "archive" in (told["more.zip"] or "")


def test_older_project_files_are_read(pets: Path) -> None:
    """Only a folder and a split, as they were written before there were readings."""
    project = Project.create("old", [pets])
    file = project.folder / "project.toml"
    assert "kind" not in file.read_text() and "archive" not in file.read_text()
    assert Project.open(project.folder).sources == [Source(pets)]
    file.write_text(file.read_text() + 'kind = "magic"\n')
    with pytest.raises(DataError) as caught:
        Project.open(project.folder)
    assert "damaged" in caught.value.message


def test_what_is_no_door(tmp_path: Path, draw) -> None:
    """A picture, a missing archive and a table without pictures, each with a sentence; no project is left behind."""
    draw(tmp_path, "one.png")
    (tmp_path / "words.csv").write_text("a,b\n1,2\n")
    for name in ("one.png", "gone.zip", "words.csv"):
        with pytest.raises(DataError):
            Project.for_source(tmp_path / name)
        with pytest.raises(DataError):
            source_at(tmp_path / name)
    assert not list((tmp_path / "home").glob("*/project.toml"))

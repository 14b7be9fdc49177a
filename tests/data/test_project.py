from __future__ import annotations

import os
import shutil
import tomllib
from pathlib import Path

import pytest

from transfer_core.data.project import Project, Source, list_projects, recent_folders
from transfer_core.data.reading import Reading
from transfer_core.data.samples import ClassCount, SampleTable
from transfer_core.data.scan import scan
from transfer_core.data.split import Shares
from transfer_core.errors import DataError, ImageError, StorageError, TransferError
from transfer_core.places import home, trash_folder


@pytest.fixture
def folder(tmp_path: Path, draw) -> Path:
    return draw(tmp_path / "data" / "pets", *(f"{label}/{n}.png" for label in ("cat", "dog") for n in range(3)))


def test_created_and_opened_again(folder: Path, tmp_path: Path) -> None:
    """Everything a project is comes back from its folder, which lies in our home and not among the pictures."""
    project = Project.create('My "pets" \\ 猫\n=1', [folder, Source(tmp_path / "test", "test")], seed=7)
    again = Project.open(project.folder)
    assert vars(again) == vars(project)
    assert again.folder.parent == home() and (again.folder / "runs").is_dir()
    assert again.sources == [Source(folder), Source(tmp_path / "test", "test")]
    assert tomllib.loads((project.folder / "project.toml").read_text(encoding="utf-8"))["schema"] == 1


@pytest.mark.parametrize(
    "name", ["../../escape", "/etc/passwd", "..", "a/b", "C:\\x", "", "x" * 300, "\0", "nul\x00l", ".hidden", "猫", "a:b*?"]
)
def test_no_name_leads_out_of_home(name: str) -> None:
    """A project's folder lies in our home whatever the name says, and is not hidden."""
    project = Project.create(name, [])
    assert project.folder.parent == home()
    assert not project.folder.name.startswith(".")
    assert Project.open(project.folder).name == name


def test_two_of_a_name_are_two(folder: Path) -> None:
    """The same name twice gives two folders."""
    first, second = Project.create("pets", [folder]), Project.create("pets", [folder])
    assert first.folder != second.folder and {p.name for p in list_projects()} == {"pets"}
    assert len(list_projects()) == 2


def test_for_source_finds_again(folder: Path, tmp_path: Path, draw, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same folder opens the same project, however it is written; another test folder makes another."""
    project = Project.for_source(folder)
    assert project.name == "pets"
    monkeypatch.chdir(folder.parent)
    for same in (folder, Path("pets"), folder.parent / ".." / "data" / "pets", Path("../data/pets")):
        assert Project.for_source(same).folder == project.folder
    assert Project.for_source(project.folder).folder == project.folder
    other = draw(tmp_path / "other", "cat/1.png")
    divided = Project.for_source(folder, other)
    assert divided.folder != project.folder
    assert divided.sources[1] == Source(other, "test")
    assert Project.for_source(folder, other).folder == divided.folder
    assert Project.for_source(folder).folder == project.folder


def test_renaming_keeps_the_folder(folder: Path) -> None:
    """A new name is only shown; links to the folder stay right."""
    project = Project.for_source(folder)
    project.rename("  Animals  ")
    assert Project.open(project.folder).name == "Animals"
    for bad in ("", "   ", "x" * 201):
        with pytest.raises(DataError):
            project.rename(bad)
    assert Project.open(project.folder).name == "Animals"


def test_a_duplicate_has_the_table_but_not_the_runs(folder: Path) -> None:
    """A copy to try things on: the same pictures and splits, none of the results, and apart from then on."""
    project = Project.for_source(folder)
    scan(project)
    (project.folder / "runs" / "r1").mkdir()
    (project.cache / "features").mkdir(parents=True)
    copy = project.duplicate("copy")
    assert copy.table.samples() == project.table.samples()
    assert list((copy.folder / "runs").iterdir()) == [] and not copy.cache.exists()
    copy.table.mark_broken([(copy.table.samples()[0].content, ImageError("test"))])
    assert (copy.table.count(), project.table.count()) == (5, 6)
    with pytest.raises(DataError):
        project.duplicate(" ")


def test_a_duplicate_lives_without_the_original(tmp_path: Path, draw) -> None:
    """What was unpacked or sent lies in the project: its copy has it too, shares included, when the original is gone."""
    draw(tmp_path / "set", *(f"{label}/{n}.png" for label in ("cat", "dog") for n in range(3)))
    shutil.make_archive(str(tmp_path / "set"), "zip", tmp_path / "set")
    project = Project.for_source(tmp_path / "set.zip")
    project.add_source(Source(draw(project.folder / "added" / "owl", "1.png"), reading=Reading("class", label="owl")))
    scan(project)
    project.divide(Shares(0.3, 0.0, 5))
    copy = Project.open(project.duplicate("copy").folder)
    shutil.rmtree(project.folder)
    assert copy.shares == Shares(0.3, 0.0, 5) and not copy.missing_sources()
    assert len(copy.table.samples()) == 7 and all(sample.path.is_file() for sample in copy.table.samples())
    assert (scan(copy).read, scan(copy).images) == (0, 7)


def test_what_another_page_changed_stays(folder: Path, tmp_path: Path, draw) -> None:
    """Each change is made to what is on disk now, not to what this page opened a while ago."""
    mine = Project.for_source(folder)
    other = Project.open(mine.folder)
    other.add_source(Source(draw(tmp_path / "more", "owl/1.png")))
    mine.rename("mine")
    other.divide(Shares(0.2, 0.2, 9))
    mine.move_source(folder, tmp_path)
    now = Project.open(mine.folder)
    assert (now.name, now.seed, [source.folder for source in now.sources]) == ("mine", 9, [tmp_path, tmp_path / "more"])


def test_deleting_keeps_the_pictures(folder: Path) -> None:
    """A deleted project goes to the trash, twice of one name too; the user's files are untouched."""
    before = {path: path.read_bytes() for path in folder.rglob("*.png")}
    places = []
    for _ in range(2):
        project = Project.create("pets", [folder])
        scan(project)
        places.append(project.delete())
        assert not project.folder.exists()
    assert len(set(places)) == 2 and all(place.parent == trash_folder() and Project.open(place) for place in places)
    assert list_projects() == []
    assert {path: path.read_bytes() for path in folder.rglob("*.png")} == before


@pytest.mark.parametrize(
    "content",
    [
        "not toml [",
        "",
        "schema = 1",
        'schema = "one"\nname = "x"',
        "schema = 1\nname = 5",
        'name = "x"',
        'schema = 1\nname = "x"\nsources = [{}]',
        'schema = 1\nname = "x"\nsources = 3',
        'schema = 1\nname = "x"\nseed = "y"',
        b"\xff\xfe",
    ],
)
def test_a_damaged_project_is_a_sentence_and_hides_no_other(folder: Path, content: str | bytes) -> None:
    """A broken project file is a DataError that names it; the list of projects and the opening of others go on."""
    good = Project.for_source(folder)
    bad = Project.create("bad", [folder])
    (bad.folder / "project.toml").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError) as caught:
        Project.open(bad.folder)
    assert str(bad.folder) in (caught.value.file or "")
    assert [project.name for project in list_projects()] == ["pets"]
    assert Project.for_source(folder).folder == good.folder


def test_a_newer_project_is_refused(folder: Path) -> None:
    """What a later version wrote is not guessed at."""
    project = Project.for_source(folder)
    file = project.folder / "project.toml"
    file.write_text(file.read_text().replace("schema = 1", "schema = 2"))
    with pytest.raises(DataError) as caught:
        Project.open(project.folder)
    assert caught.value.code == "newer-schema"


def test_what_is_not_a_project(tmp_path: Path) -> None:
    """A missing folder, an empty one, and a file."""
    (tmp_path / "file").write_text("")
    for place in ("gone", "", "file"):
        with pytest.raises(DataError):
            Project.open(tmp_path / place)
    with pytest.raises(DataError) as caught:
        Project.open(tmp_path)
    assert caught.value.code == "not-a-project"


def test_a_moved_source_is_found_and_followed(folder: Path, tmp_path: Path, draw) -> None:
    """The folder was renamed: the new place is offered, and taking it keeps the table as it is."""
    project = Project.for_source(folder)
    scan(project)
    before = [(s.id, s.relative, s.split) for s in project.table.samples()]
    assert project.missing_sources() == []
    draw(tmp_path / "data" / "decoy", "cat/0.png", "dog/7.png")
    new = folder.rename(folder.with_name("animals"))
    project = Project.open(project.folder)
    assert project.missing_sources() == [folder]
    assert project.find_moved(folder) == new
    project.move_source(folder, new)
    again = Project.open(project.folder)
    assert again.missing_sources() == [] and scan(again).read == 0
    assert [(s.id, s.relative, s.split) for s in again.table.samples()] == before
    with pytest.raises(DataError):
        again.move_source(new, tmp_path / "nowhere")


def test_a_moved_source_is_found_behind_a_large_one(folder: Path, tmp_path: Path, draw) -> None:
    """However many pictures of other sources come before its own in the table."""
    project = Project.for_source(folder)
    scan(project)
    with project.table.change() as connection:
        for number in range(2500):
            connection.execute(
                "INSERT INTO samples (source, relative, content, size, mtime_ns, label, state) VALUES (0, ?, ?, 1, 1, 'a', 'in')",
                (f"a/{number}.png", f"{number:032}"),
            )
    last = draw(tmp_path / "data" / "zebras", "zebra/1.png", "zebra/2.png")
    project.add_source(Source(last))
    with project.table.change() as connection:
        for place in sorted(last.rglob("*.png")):
            connection.execute(
                "INSERT INTO samples (source, relative, content, size, mtime_ns, label, state) VALUES (1, ?, ?, ?, 1, 'zebra', 'in')",
                (place.relative_to(last).as_posix(), place.stem, place.stat().st_size),
            )
    new = last.rename(last.with_name("striped"))
    assert project.find_moved(last) == new


def test_a_full_disk_hides_no_project(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The list of projects opens tables, and one that can't be opened is passed over."""
    first, second = Project.for_source(folder), Project.create("other", [])
    scan(first)
    classes = SampleTable.classes

    def full(table: SampleTable) -> list[ClassCount]:
        if table.file.is_relative_to(second.folder):
            raise StorageError("no space")
        return classes(table)

    monkeypatch.setattr(SampleTable, "classes", full)
    assert [each.name for each in list_projects()] == ["pets"]


def test_a_source_that_went_for_good_is_not_found(folder: Path) -> None:
    """No folder like it: nothing is offered, and a project that never knew a picture offers nothing either."""
    project = Project.for_source(folder)
    assert project.find_moved(folder) is None
    scan(project)
    shutil.rmtree(folder)
    assert project.find_moved(folder) is None


def test_the_list_says_what_is_in_each(folder: Path, tmp_path: Path, draw) -> None:
    """Names, counts and folders, the last used first; recent folders are those that are still there, never our own."""
    old, new = Project.for_source(folder), Project.for_source(draw(tmp_path / "flowers", "rose/1.png", "lily/1.png"))
    scan(old)
    for path in (old.folder / "project.toml", old.folder / "runs"):
        os.utime(path, (1e9, 1e9))
    uploaded = Project.create("up", [home() / "up" / "uploads"])
    (uploaded.folder / "uploads").mkdir()
    summaries = {project.name: project for project in list_projects()}
    assert [project.name for project in list_projects()][-1] == "pets"
    assert (summaries["pets"].images, summaries["pets"].classes, summaries["pets"].sources) == (6, 2, [folder])
    assert (summaries["flowers"].images, summaries["flowers"].classes) == (0, 0)
    assert recent_folders() == [new.sources[0].folder, folder]
    shutil.rmtree(folder)
    assert recent_folders() == [new.sources[0].folder]
    assert recent_folders(0) == []


def test_a_home_that_can_not_be_written_is_a_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A file in home's place: creating says so, listing lists nothing."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TRANSFER_STUDIO_HOME", str(tmp_path / "file"))
    assert list_projects() == []
    with pytest.raises(StorageError):
        Project.for_source(folder)


def test_a_folder_whose_name_is_not_text(tmp_path: Path) -> None:
    """Undecodable bytes in a path can't be written down: told, not raised as they come."""
    if os.name == "nt":
        pytest.skip("Windows has text names only")
    folder = Path(os.fsdecode(bytes(tmp_path) + b"/\xff\xfe"))
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this file system has text names only")
    with pytest.raises(TransferError) as caught:
        Project.for_source(folder)
    str(caught.value).encode()
    assert list_projects() == []

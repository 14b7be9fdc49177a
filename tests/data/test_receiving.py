"""What comes over the network lands whole, once, inside the project, whatever its name says; what was cut off goes on."""

from __future__ import annotations

import errno
import io
import os
import shutil
import time
import zipfile
from collections import namedtuple
from pathlib import Path

import pytest
from PIL import Image

from transfer_core.data import receiving, scanning
from transfer_core.data.project import Project, list_projects
from transfer_core.data.reading import Reading
from transfer_core.data.receiving import Announced, Door, Incoming, all_arrived, arrived_part, is_here, upload_project
from transfer_core.data.safe_names import is_device
from transfer_core.data.scan import scan
from transfer_core.errors import DataError, StorageError
from transfer_core.places import home


def picture(value: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4), (value, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def send(project: Project, path: str, data: bytes, door: Door = Door.FOLDER, modified: int = 0) -> Path:
    with Incoming(project, door, Announced(path, len(data), modified)) as incoming:
        incoming.write(data[:3])
        incoming.write(data[3:])
        assert incoming.whole()
        return incoming.finish()


def files_of(project: Project) -> list[Path]:
    return sorted(path for door in Door for path in (project.folder / door.value).rglob("*") if path.is_file())


def test_a_folder_is_a_source_with_its_classes() -> None:
    """What a browser sends of a folder becomes classes and pictures, byte for byte."""
    project = upload_project("pets")
    data = {f"pets/{label}/{n}.png": picture(10 * n + len(label)) for label in ("cat", "birds") for n in range(3)}
    for path, content in data.items():
        send(project, path, content)
    project = Project.open(project.folder)
    assert project.folder.parent == home()
    assert [source.folder for source in project.sources] == [project.folder / "uploads" / "pets"]
    assert scan(project).images == 6
    assert [count.label for count in project.table.classes()] == ["birds", "cat"]
    assert {sample.path.read_bytes() for sample in project.table.samples()} == set(data.values())


def test_doors_are_sources_side_by_side() -> None:
    """A folder divided into train and test, loose pictures and the camera's do not change what each other's folders mean."""
    project = upload_project("birds")
    for split in ("train", "test"):
        for label in ("owl", "tit"):
            send(project, f"birds/{split}/{label}/1.png", picture(len(split + label)))
    send(project, "owl/2.png", picture(90), Door.CLASS)
    send(project, "wren/hold1_0001.png", picture(91), Door.CAMERA)
    project = Project.open(project.folder)
    assert [source.folder.relative_to(project.folder).as_posix() for source in project.sources] == [
        "uploads/birds",
        "added/owl",
        "camera/wren",
    ]
    assert scan(project).images == 6
    assert {count.label: count.total for count in project.table.classes()} == {"owl": 3, "tit": 2, "wren": 1}


HOSTILE = [
    "../../../etc/cron.d/x.png",
    "/etc/passwd/x.png",
    "..\\..\\windows\\x.png",
    "C:\\Windows\\x.png",
    "\\\\server\\share\\x.png",
    "cat/../../../x.png",
    "cat/../x.png",
    "./cat/./x.png",
    "....//....//x.png",
    "cat/\0/x.png",
    "cat/x.png\0.jpg",
    "cat/<script>alert(1)</script>.png",
    "cat/a\nb.png",
    "cat/.. /x.png",
    "cat/x:stream.png",
    "~/x.png",
    "cat/" + "长" * 200 + ".png",
    "a/" * 500 + "x.png",
    "CON/aux.png",
    "cat/%2e%2e/x.png",
    "cat/....png",
    "cat/\udcff.png",
    "cat/.hidden.png",
]


@pytest.mark.parametrize("door", [door for door in Door if door is not Door.ARCHIVE])
@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_climbs_out(name: str, door: Door, tmp_path: Path) -> None:
    """Whatever a name says, the file lies in the project's own folder, and nowhere else."""
    project = upload_project("up")
    before = {path for path in tmp_path.rglob("*") if home() not in (path, *path.parents)}
    send(project, "cat/fine/1.png", picture(1), door)
    try:
        send(project, name, picture(2), door)
    except DataError as error:
        assert error.code in ("no-class", "not-a-picture", "bad-class-name")
    inside = project.folder / door.value
    for path in files_of(project):
        assert path.resolve().is_relative_to(inside.resolve())
        parts = path.relative_to(inside).parts
        assert not any(part.startswith(".") or is_device(part) or len(part.encode()) > 255 for part in parts)
    assert {path for path in tmp_path.rglob("*") if home() not in (path, *path.parents)} == before
    assert not list(project.folder.glob("*/*.partial"))
    scan(Project.open(project.folder))


@pytest.mark.parametrize(
    "label", ["train", "test", "v1.5", "a:b", "a_b", "CON", "...", "..", " spaced ", "粗体", "-", "<b>", "val"]
)
def test_a_class_keeps_its_name(label: str) -> None:
    """Whatever its folder has to be called, and also where a folder of that name would mean something else."""
    project = upload_project("up")
    send(project, f"{label}/1.png", picture(1), Door.CAMERA)
    send(project, "a_b/1.png", picture(2), Door.CAMERA)
    project = Project.open(project.folder)
    assert scan(project).images == 2
    assert {count.label: count.total for count in project.table.classes()} in (
        {label.strip(): 1, "a_b": 1},
        {"a_b": 2},
    )


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def test_a_zip_is_a_source() -> None:
    """It is unpacked by the scan, and comes once."""
    project = upload_project("pets")
    data = zipped({f"pets/{label}/{n}.png": picture(9 * n + len(label)) for label in ("cat", "birds") for n in range(3)})
    send(project, "my pets.zip", data, Door.ARCHIVE, modified=1_700_000_000_000)
    assert is_here(project, Door.ARCHIVE, Announced("my pets.zip", len(data), 1_700_000_000_000))
    assert all_arrived(project) is None
    project = Project.open(project.folder)
    assert scan(project).images == 6 and {count.label for count in project.table.classes()} == {"cat", "birds"}


def test_a_zip_does_not_stay_beside_what_it_held() -> None:
    """Once its pictures are in the table it goes; sent again, it is known all the same, and another of its name is not."""
    project = upload_project("pets")
    data = zipped({f"pets/{label}/{n}.png": picture(9 * n + len(label)) for label in ("cat", "birds") for n in range(3)})
    place = send(project, "my pets.zip", data, Door.ARCHIVE, modified=1_700_000_000_000)
    all_arrived(project)
    assert scanning.main(project.folder) == 0
    project = Project.open(project.folder)
    assert not place.exists() and not project.missing_sources()
    assert is_here(project, Door.ARCHIVE, Announced("my pets.zip", len(data), 1_700_000_000_900))
    assert not is_here(project, Door.ARCHIVE, Announced("my pets.zip", len(data) + 1, 1_700_000_000_000))
    assert not is_here(project, Door.ARCHIVE, Announced("others.zip", len(data), 1_700_000_000_000))
    assert scanning.main(project.folder) == 0 and project.table.count() == 6


@pytest.mark.parametrize(
    "data", [b"nothing", zipped({"../x.png": b"x"}), zipped({"/etc/x.png": b"x"}), zipped({"a/CON.png": b"x"}), zipped({})]
)
def test_a_hostile_zip_is_refused_whole(data: bytes) -> None:
    """With a sentence, and nothing of it stays."""
    project = upload_project("up")
    with pytest.raises(DataError):
        send(project, "a.zip", data, Door.ARCHIVE)
    assert Project.open(project.folder).sources == [] and files_of(project) == []
    assert all_arrived(project) is None and list_projects() == [], "no empty project is left in the list"


@pytest.mark.parametrize("name", ["../../x.zip", "/etc/x.zip", "C:\\x.zip", "a/b/c.zip", "..\\..\\x.zip", "CON.zip"])
def test_no_zip_climbs_out(name: str) -> None:
    project = upload_project("up")
    place = send(project, name, zipped({"cat/1.png": picture(1), "dog/1.png": picture(2)}), Door.ARCHIVE)
    assert place.parent == project.folder / "archives"


def test_folders_in_folders_are_read_in_the_likeliest_way() -> None:
    """And it is told that there are others, so that somebody is asked."""
    project = upload_project("birds")
    for place in ("north", "south"):
        for label in ("owl", "tit"):
            for n in range(3):
                send(project, f"birds/{place}/{label}/{n}.png", picture(10 * n + len(place + label)))
    unclear = all_arrived(project)
    assert unclear is not None and unclear.folder == project.folder / "uploads" / "birds"
    project.read_as(unclear.folder, Reading(depth=2))
    scan(project)
    assert {count.label: count.total for count in project.table.classes()} == {"owl": 6, "tit": 6}
    assert all_arrived(Project.open(project.folder)) is None, "what was looked at is not asked about again"


def test_the_same_file_comes_once() -> None:
    """By name, size and time; of another size or time it is another file, and both are kept."""
    project = upload_project("up")
    first, second = picture(1), picture(1) + b"more"
    send(project, "up/cat/a.png", first, modified=1_700_000_000_000)
    assert is_here(project, Door.FOLDER, Announced("up/cat/a.png", len(first), 1_700_000_000_900))
    assert not is_here(project, Door.FOLDER, Announced("up/cat/a.png", len(first), 1_700_000_100_000))
    assert not is_here(project, Door.FOLDER, Announced("up/cat/a.png", len(second), 1_700_000_000_000))
    assert not is_here(project, Door.CLASS, Announced("up/cat/a.png", len(first), 1_700_000_000_000))
    place = send(project, "up/cat/a.png", second, modified=1_600_000_000_000)
    assert place.name == "a 2.png" and abs(place.stat().st_mtime - 1_600_000_000) < 2
    assert is_here(project, Door.FOLDER, Announced("up/cat/a.png", len(second), 1_600_000_000_000))
    assert {path.read_bytes() for path in files_of(project)} == {first, second}


def test_a_file_in_a_folders_place_stops_nothing() -> None:
    """`a.png` and `a.png/b.png` can't both be: both pictures are kept all the same."""
    project = upload_project("up")
    send(project, "cat/a.png", picture(1), Door.CLASS)
    send(project, "cat/a.png/b.png", picture(2), Door.CLASS)
    assert len(files_of(project)) == 2


def test_what_was_cut_off_goes_on() -> None:
    """What came of a file stays; the rest is added, and only then has it a name."""
    project, data = upload_project("up"), picture(3) * 50
    announced = Announced("up/cat/big.png", len(data))
    with Incoming(project, Door.FOLDER, announced) as incoming:
        incoming.write(data[:1000])
    assert arrived_part(project, Door.FOLDER, announced) == 1000 and files_of(project) == []
    assert arrived_part(project, Door.FOLDER, Announced("up/cat/big.png", len(data) + 1)) == 0
    with pytest.raises(DataError) as caught, Incoming(project, Door.FOLDER, announced, 900):
        pass
    assert caught.value.code == "other-offset"
    with Incoming(project, Door.FOLDER, announced, 1000) as incoming:
        incoming.write(data[1000:])
        place = incoming.finish()
    assert place.read_bytes() == data and arrived_part(project, Door.FOLDER, announced) == 0


def test_one_file_has_one_sender() -> None:
    """Two tabs that send the same file don't write into each other's."""
    project, announced = upload_project("up"), Announced("up/cat/a.png", 10)
    with Incoming(project, Door.FOLDER, announced), pytest.raises(DataError) as caught:
        Incoming(project, Door.FOLDER, announced)
    assert caught.value.code == "on-its-way"
    with Incoming(project, Door.FOLDER, announced):
        pass


@pytest.mark.parametrize(
    ("path", "size", "code"),
    [
        ("up/cat/a.exe", 10, "not-a-picture"),
        ("up/cat/a", 10, "not-a-picture"),
        ("up/cat/.png", 10, "not-a-picture"),
        ("up/cat/a.png", receiving.MAX_BYTES + 1, "too-large"),
        ("a.png", 10, "no-class"),
        ("../a.png", 10, "no-class"),
        ("", 10, "no-class"),
    ],
)
def test_what_is_refused(path: str, size: int, code: str) -> None:
    """With a sentence, and before a byte of it is taken."""
    project = upload_project("up")
    with pytest.raises(DataError) as caught:
        Incoming(project, Door.FOLDER, Announced(path, size))
    assert caught.value.code == code and caught.value.message and caught.value.fix
    assert files_of(project) == []


def test_more_than_was_announced_is_refused() -> None:
    """The size decides whether there is room, so it has to be true."""
    project = upload_project("up")
    with Incoming(project, Door.FOLDER, Announced("up/cat/a.png", 10)) as incoming:
        with pytest.raises(DataError) as caught:
            incoming.write(b"x" * 11)
        assert caught.value.code == "not-as-announced" and not incoming.whole()
    assert files_of(project) == [] and arrived_part(project, Door.FOLDER, Announced("up/cat/a.png", 10)) == 0


def test_a_full_disk_is_said_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is taken that would fill the disk up, and what came before stays."""
    project = upload_project("up")
    send(project, "up/cat/a.png", picture(1))
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(10**12, 10**12, receiving.RESERVE + 99))
    with pytest.raises(StorageError) as caught:
        Incoming(project, Door.FOLDER, Announced("up/cat/b.png", 100))
    assert caught.value.code == "disk-full" and "kept" in (caught.value.fix or "")
    assert len(files_of(project)) == 1


def test_a_disk_that_fills_up_meanwhile_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else may take the room."""
    project = upload_project("up")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError) as caught, Incoming(project, Door.FOLDER, Announced("up/cat/b.png", 3)) as incoming:
        incoming.write(b"abc")
        incoming.finish()
    assert caught.value.code == "disk-full" and files_of(project) == []


def test_an_upload_that_broke_off_goes_on_in_its_project() -> None:
    """Choosing the same folder again after a reload; once all is there, another upload of that name is another project."""
    project = upload_project("pets")
    send(project, "pets/cat/a.png", picture(1))
    assert upload_project("pets").folder == project.folder
    assert upload_project("others").folder != project.folder
    all_arrived(project)
    assert upload_project("pets").folder != project.folder


def test_old_beginnings_are_thrown_away() -> None:
    """What nobody goes on with does not fill the disk for ever."""
    project = upload_project("up")
    old, new = Announced("up/cat/old.png", 10), Announced("up/cat/new.png", 10)
    for announced in (old, new):
        with Incoming(project, Door.FOLDER, announced) as incoming:
            incoming.write(b"abc")
    part = receiving._partial(project, Door.FOLDER, old)
    os.utime(part, (time.time() - receiving.STALE - 60,) * 2)
    receiving.forget_old_parts(project)
    assert arrived_part(project, Door.FOLDER, old) == 0 and arrived_part(project, Door.FOLDER, new) == 3

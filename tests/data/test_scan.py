from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
import textwrap
import unicodedata
from pathlib import Path

import pytest
from PIL import Image

from transfer_core.data import file_facts
from transfer_core.data import scan as scanner
from transfer_core.data.project import Project, Source
from transfer_core.data.scan import check_trainable, scan
from transfer_core.errors import DataError


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are looked into, in any order."""
    names: list[str] = []
    look = file_facts._look_at
    monkeypatch.setattr(file_facts, "_look_at", lambda path, size: (names.append(path.name), look(path, size))[1])
    return names


def reasons(project: Project) -> dict[str, str | None]:
    return {sample.relative: sample.reason for sample in project.table.left_out()}


def relatives(project: Project) -> list[str]:
    return [sample.relative for sample in project.table.samples()]


def test_what_a_scan_writes_down(tmp_path: Path, pictures) -> None:
    """Every picture with its class, size, format and content, and a count that agrees."""
    folder = pictures(classes=("cat", "dog"), count=3, size=(20, 12))
    project = Project.create("p", [folder])
    told: list[tuple[int, int]] = []
    report = scan(project, lambda done, total: told.append((done, total)))
    assert (report.images, report.left_out, report.classes, report.read) == (6, 0, 2, 6)
    assert told == [(6, 6)]
    samples = project.table.samples()
    assert {(s.label, s.width, s.height, s.format, s.state) for s in samples} == {
        (x, 20, 12, "JPEG", "in") for x in ("cat", "dog")
    }
    assert len({s.content for s in samples}) == 6 and {len(s.content) for s in samples} == {32}
    assert all(s.split in ("train", "val", "test") for s in samples)
    assert all(s.path == folder / s.relative and s.path.exists() for s in samples)


def test_only_what_changed_is_read(tmp_path: Path, draw, read: list[str]) -> None:
    """Nothing changed: nothing read. One changed, one added, one removed: two read, and the table follows."""
    folder = draw(tmp_path / "data", *(f"{label}/{label}{number}.png" for label in ("cat", "dog") for number in range(5)))
    project = Project.create("p", [folder])
    scan(project)
    before = {sample.relative: sample for sample in project.table.samples()}
    read.clear()
    report = scan(Project.open(project.folder))
    assert read == [] and report.read == 0 and report.images == 10
    assert {sample.relative: sample for sample in project.table.samples()} == before

    (folder / "cat" / "cat1.png").write_bytes((draw(tmp_path, "other/new.png") / "other/new.png").read_bytes())
    os.utime(folder / "cat" / "cat1.png", (1e9, 1e9))
    draw(folder, "bird/bird1.png")
    (folder / "dog" / "dog4.png").unlink()
    report = scan(project)
    assert sorted(read) == ["bird1.png", "cat1.png"]
    assert (report.images, report.classes, report.read) == (10, 3, 2)
    after = {sample.relative: sample for sample in project.table.samples()}
    assert after["cat/cat1.png"].content != before["cat/cat1.png"].content
    assert "dog/dog4.png" not in after
    unchanged = before.keys() & after.keys() - {"cat/cat1.png"}
    assert len(unchanged) == 8 and all(after[name] == before[name] for name in unchanged)


def test_a_renamed_class_is_followed(tmp_path: Path, draw) -> None:
    """A folder that was renamed is another class, and the old one is gone."""
    folder = draw(tmp_path / "data", "cat/1.png", "cat/2.png", "dog/1.png")
    project = Project.create("p", [folder])
    scan(project)
    (folder / "cat").rename(folder / "lynx")
    scan(project)
    assert [count.label for count in project.table.classes()] == ["dog", "lynx"]
    assert project.table.count(state=None) == 3


def test_odd_files_are_left_out_with_their_reasons(tmp_path: Path, draw) -> None:
    """A bad file stops nothing and says what is wrong with it."""
    folder = draw(tmp_path / "data", "cat/good.png", "dog/good.png")
    whole = io.BytesIO()
    Image.effect_noise((80, 80), 50).convert("RGB").save(whole, "JPEG")
    odd = {
        "cat/text.jpg": b"not a picture",
        "cat/empty.jpg": b"",
        "cat/cut.jpg": whole.getvalue()[:900],
        "cat/notes.txt": b"hello",
        "cat/phone.HEIC": b"\0\0\0\x18ftypheic",
        "cat/evil.svg": b"<svg onload='alert(1)'/>",
        "stray.png": (folder / "cat" / "good.png").read_bytes(),
    }
    for name, data in odd.items():
        (folder / name).write_bytes(data)
    project = Project.create("p", [folder])
    report = scan(project)
    assert (report.images, report.left_out) == (2, 7)
    told = reasons(project)
    assert told.keys() == odd.keys()
    for name, word in {
        "cat/text.jpg": "not a picture",
        "cat/empty.jpg": "empty",
        "cat/cut.jpg": "end of the file is missing",
        "cat/notes.txt": "not a picture",
        "cat/phone.HEIC": "HEIC",
        "cat/evil.svg": "not a picture",
        "stray.png": "no class folder",
    }.items():
        assert word in (told[name] or ""), name
    assert scan(project).read == 0


def test_a_picture_without_its_extension_is_one(tmp_path: Path, draw) -> None:
    """What a name has lost, the first bytes tell."""
    folder = draw(tmp_path / "data", "cat/1.png", "dog/1.png")
    (folder / "cat" / "1.png").rename(folder / "cat" / "download")
    (folder / "dog" / "1.png").rename(folder / "dog" / "photo.jpg.tmp")
    project = Project.create("p", [folder])
    assert scan(project).images == 2


def test_a_file_mended_comes_back(tmp_path: Path, draw) -> None:
    """A broken copy that is copied again is used after the next scan."""
    folder = draw(tmp_path / "data", "cat/1.png", "cat/2.png", "dog/1.png")
    good = (folder / "cat" / "2.png").read_bytes()
    (folder / "cat" / "2.png").write_bytes(good[:40])
    project = Project.create("p", [folder])
    assert scan(project).images == 2
    (folder / "cat" / "2.png").write_bytes(good)
    assert scan(project).images == 3 and reasons(project) == {}


NAMES = ["猫", "two words", 'it\'s "x"', "<script>alert(1)<", "=1+1", "🌷", unicodedata.normalize("NFD", "é")]


def test_names_of_all_kinds_survive_the_table(tmp_path: Path, draw) -> None:
    """Whatever a class and a file are called, the table gives back a path that opens."""
    if os.name == "nt":
        pytest.skip("Windows refuses some of these names")
    folder = draw(tmp_path / "data", *(f"{name}/{name}.png" for name in NAMES), "x'); DROP TABLE samples; --/1.png")
    project = Project.create("p", [folder])
    assert scan(project).images == len(NAMES) + 1
    assert all(sample.path.read_bytes() for sample in project.table.samples())
    labels = {count.label for count in project.table.classes()}
    assert labels == {unicodedata.normalize("NFC", name) for name in NAMES} | {"x'); DROP TABLE samples; --"}
    assert scan(project).read == 0


def test_names_that_are_not_text_stop_nothing(tmp_path: Path, draw) -> None:
    """Undecodable names of files and classes are left out; everything else is used."""
    if os.name == "nt":
        pytest.skip("Windows has text names only")
    folder = draw(tmp_path / "data", "cat/1.png", "dog/1.png")
    for name in (b"cat/\xff.png", b"\xfe/1.png"):
        path = os.path.join(os.fsencode(folder), name)  # noqa: PTH118
        os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
        with open(path, "wb") as file:  # noqa: PTH123
            file.write(b"x")
    project = Project.create("p", [folder])
    report = scan(project)
    assert (report.images, report.left_out, report.classes) == (2, 2, 2)


def test_a_link_out_of_the_folder_is_not_read(tmp_path: Path, draw, read: list[str]) -> None:
    """A folder of pictures must not be a way to another place of the disk."""
    folder = draw(tmp_path / "data", "cat/1.png", "dog/1.png")
    draw(tmp_path / "secret", "s.png")
    try:
        (folder / "cat" / "s.png").symlink_to(tmp_path / "secret" / "s.png")
    except OSError:
        pytest.skip("links can't be made here")
    project = Project.create("p", [folder])
    assert scan(project).images == 2
    assert "s.png" not in read


def test_a_copy_in_the_test_folder_is_left_out_of_training(tmp_path: Path, draw) -> None:
    """What is asked in the test must not have been learnt by heart; without the test picture its copy is free again."""
    folder = draw(
        tmp_path / "data",
        *(f"train/{label}/{n}.png" for label in ("cat", "dog") for n in range(4)),
        "test/cat/a.png",
        "test/dog/b.png",
    )
    draw(folder, "train/cat/copy.png", "train/dog/mislabelled copy.png", like="test/cat/a.png")
    project = Project.create("p", [folder])
    report = scan(project)
    assert (report.images, report.left_out) == (10, 2)
    assert set(reasons(project)) == {"train/cat/copy.png", "train/dog/mislabelled copy.png"}
    assert all("test" in (reason or "") for reason in reasons(project).values())
    assert scan(project).images == 10
    (folder / "test" / "cat" / "a.png").unlink()
    report = scan(project)
    assert (report.images, report.left_out) == (11, 0)
    assert {s.split for s in project.table.samples(label="cat")} <= {"train", "val"}


def test_a_test_set_that_comes_later_is_respected(tmp_path: Path, draw) -> None:
    """A second source that is all test: none is cut from the first, and copies across sources are found."""
    folder = draw(tmp_path / "data", *(f"{label}/{n}.png" for label in ("cat", "dog") for n in range(20)))
    other = draw(tmp_path / "held out", "cat/x.png", "dog/y.png")
    (folder / "cat" / "copy.png").write_bytes((other / "cat" / "x.png").read_bytes())
    project = Project.create("p", [Source(folder), Source(other, "test")])
    scan(project)
    assert {s.path.parent.parent for s in project.table.samples(split="test")} == {other}
    assert project.table.count(split="test") == 2 and project.table.count(split="val") == 6
    assert list(reasons(project)) == ["cat/copy.png"]


def test_a_missing_source_is_told(tmp_path: Path, draw) -> None:
    """A drive that is not plugged in: an error, and the table keeps what it knows."""
    folder = draw(tmp_path / "data", "cat/1.png", "dog/1.png")
    project = Project.create("p", [folder])
    scan(project)
    folder.rename(tmp_path / "elsewhere")
    with pytest.raises(DataError) as caught:
        scan(project)
    assert caught.value.code == "no-such-folder"
    assert project.table.count() == 2


def test_stopped_between_batches_what_was_read_stays(
    tmp_path: Path, draw, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stopped scan loses no work: the next one reads only the rest."""
    monkeypatch.setattr(scanner, "BATCH", 4)
    folder = draw(tmp_path / "data", *(f"{label}/{label}{number}.png" for label in ("cat", "dog") for number in range(5)))
    project = Project.create("p", [folder])
    calls = []

    def checkpoint() -> None:
        calls.append(None)
        if len(calls) == 3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        scan(project, checkpoint=checkpoint)
    assert len(read) >= 8 and project.table.count(state=None) == 8
    read.clear()
    assert scan(project).images == 10
    assert len(read) == 2
    assert all(sample.split for sample in project.table.samples())


@pytest.mark.parametrize(
    "names, code",
    [
        ((), "no-images"),
        (("cat/1.png", "cat/2.png"), "one-class"),
        (("stray.png",), "no-images"),
        (("train/cat/1.png", "test/cat/2.png", "test/dog/1.png"), "one-class"),
        (("train/cat/1.png", "val/cat/2.png", "val/dog/1.png"), "one-class"),
        (("train/hidden/.x", "val/cat/2.png", "val/dog/1.png"), "no-images"),
    ],
)
def test_too_little_to_learn_from(tmp_path: Path, draw, names: tuple[str, ...], code: str) -> None:
    """No pictures or a single class to learn from: told before anything starts, with what to do."""
    (tmp_path / "data").mkdir()
    folder = draw(tmp_path / "data", *names)
    project = Project.create("p", [folder])
    scan(project)
    with pytest.raises(DataError) as caught:
        check_trainable(project)
    assert caught.value.code == code and caught.value.fix and caught.value.file == str(folder)


def test_two_pictures_of_two_classes_will_do(tmp_path: Path, draw) -> None:
    """The least there is to learn from is let through, and nothing of it is held out."""
    folder = draw(tmp_path / "data", "cat/1.png", "dog/1.png")
    project = Project.create("p", [folder])
    scan(project)
    check_trainable(project)
    assert {sample.split for sample in project.table.samples()} == {"train"}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become a user who may not read")
def test_files_that_may_not_be_read(draw, monkeypatch: pytest.MonkeyPatch) -> None:
    """No permission for a file or a folder: left out, told, and read once the permission is there."""
    code = textwrap.dedent(
        """
        import locale, os, sys  # what is imported late must be here before: the other user may not read Python's own folder either
        from pathlib import Path
        from PIL import Image
        from transfer_core.data.layout import walk
        from transfer_core.data.project import Project
        from transfer_core.data.scan import scan
        from transfer_core.errors import DataError
        from transfer_core.i18n import _

        Image.init()
        _("")
        folder = Path(sys.argv[1])
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        project = Project.for_source(folder)
        print(scan(project).images, sorted(sample.relative for sample in project.table.left_out()), flush=True)
        sys.stdin.readline()
        print(scan(project).images, sorted(sample.relative for sample in project.table.left_out()))
        try:
            list(walk(folder / "dog"))
        except DataError as error:
            print(error.code)
        """
    )
    # Not in tmp_path, which pytest keeps closed to other users.
    with tempfile.TemporaryDirectory() as name:
        outside = Path(name)
        outside.chmod(0o777)
        if not all(parent.stat().st_mode & 0o001 for parent in outside.parents):
            pytest.skip("the folder for temporary files is closed to other users")
        monkeypatch.setenv("TRANSFER_STUDIO_HOME", str(outside / "home"))
        folder = draw(outside / "data", "cat/1.png", "cat/locked.png", "dog/1.png", "locked folder/1.png")
        (folder / "cat" / "locked.png").chmod(0)
        (folder / "locked folder").chmod(0)
        child = subprocess.Popen(
            [sys.executable, "-c", code, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert child.stdin and child.stdout
        try:
            assert child.stdout.readline() == "2 ['cat/locked.png', 'locked folder']\n"
            (folder / "cat" / "locked.png").chmod(0o644)
            (folder / "locked folder").chmod(0o755)
            (folder / "dog").chmod(0)
            told, _ = child.communicate("\n", timeout=60)
            assert told.splitlines() == ["3 ['dog']", "unreadable-folder"]
        finally:
            child.kill()
            child.wait()

from __future__ import annotations

import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

from transfer_core.data.layout import Found, walk
from transfer_core.errors import DataError


def make(root: Path, *files: str) -> Path:
    for name in files:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode("utf-8", "surrogateescape"))
    return root


def told(root: Path, split: str | None = None) -> dict[str, tuple[str | None, str | None]]:
    """`{relative: (label, split)}` of the files that may be read."""
    return {found.relative: (found.label, found.split) for found in walk(root, split) if found.reason is None}


def left_out(root: Path) -> dict[str, str]:
    return {found.relative: found.reason for found in walk(root) if found.reason is not None}


def test_a_folder_a_class(tmp_path: Path) -> None:
    """The simplest layout, with files further down belonging to the class above them."""
    make(tmp_path, "cat/1.jpg", "cat/indoors/at night/2.jpg", "dog/1.jpg")
    assert told(tmp_path) == {"cat/1.jpg": ("cat", None), "cat/indoors/at night/2.jpg": ("cat", None), "dog/1.jpg": ("dog", None)}
    assert [found.path for found in walk(tmp_path)] == sorted(found.path for found in walk(tmp_path))


@pytest.mark.parametrize(
    "names",
    [("train", "test"), ("Training", "Testing"), ("train", "val", "test"), ("TRAIN", "valid"), ("train", "validation", "test")],
)
def test_split_folders(tmp_path: Path, names: tuple[str, ...]) -> None:
    """Sets that come divided keep their division, however the folders are spelled."""
    for name in names:
        make(tmp_path, f"{name}/cat/1.jpg", f"{name}/dog/1.jpg")
    meaning = {"tr": "train", "te": "test", "va": "val"}
    expected = {f"{name}/{label}/1.jpg": (label, meaning[name[:2].lower()]) for name in names for label in ("cat", "dog")}
    assert told(tmp_path) == expected


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    """Beside buses and cars, a train is a vehicle."""
    make(tmp_path, "bus/1.jpg", "car/1.jpg", "train/1.jpg", "test/1.jpg")
    assert {label for label, _split in told(tmp_path).values()} == {"bus", "car", "train", "test"}
    assert {split for _label, split in told(tmp_path).values()} == {None}


def test_test_alone_is_a_class(tmp_path: Path) -> None:
    """Without a train folder there is no division."""
    make(tmp_path, "test/1.jpg", "val/1.jpg")
    assert told(tmp_path) == {"test/1.jpg": ("test", None), "val/1.jpg": ("val", None)}


def test_an_archive_wraps_its_folder(tmp_path: Path) -> None:
    """One folder in one folder, as unpacking leaves them, with the litter of a Mac beside it."""
    make(
        tmp_path,
        "flowers/data/train/rose/1.jpg",
        "flowers/data/test/rose/1.jpg",
        "__MACOSX/._x",
        ".DS_Store",
        "flowers/.DS_Store",
    )
    assert told(tmp_path) == {
        "flowers/data/train/rose/1.jpg": ("rose", "train"),
        "flowers/data/test/rose/1.jpg": ("rose", "test"),
    }


def test_a_lone_class_is_not_unwrapped(tmp_path: Path) -> None:
    """A single folder of pictures is a class, not a wrapper."""
    make(tmp_path, "cat/1.jpg", "cat/2.jpg")
    assert told(tmp_path) == {"cat/1.jpg": ("cat", None), "cat/2.jpg": ("cat", None)}


def test_files_beside_the_classes_are_told(tmp_path: Path) -> None:
    """A stray file is left out with a reason; hidden files and the systems' own are not worth a word."""
    make(
        tmp_path,
        "cat/1.jpg",
        "dog/1.jpg",
        "readme.txt",
        ".hidden",
        "cat/.thumb.jpg",
        "cat/Thumbs.db",
        "dog/desktop.ini",
        ".git/config",
    )
    assert sorted(told(tmp_path)) == ["cat/1.jpg", "dog/1.jpg"]
    assert list(left_out(tmp_path)) == ["readme.txt"]
    make(tmp_path / "divided", "train/cat/1.jpg", "test/cat/1.jpg", "train/stray.jpg", "labels.csv")
    assert list(left_out(tmp_path / "divided")) == ["labels.csv", "train/stray.jpg"]


def test_a_separate_folder_is_all_of_one_split(tmp_path: Path) -> None:
    """`--test DIR`: whatever its folders are called, all of it is the test set."""
    make(tmp_path, "cat/1.jpg", "dog/1.jpg")
    assert told(tmp_path, "test") == {"cat/1.jpg": ("cat", "test"), "dog/1.jpg": ("dog", "test")}
    make(tmp_path / "other", "train/cat/1.jpg", "val/cat/1.jpg")
    assert {split for _label, split in told(tmp_path / "other", "test").values()} == {"test"}


NAMES = [
    "猫和狗",
    "two words",
    'it\'s "quoted"',
    "<script>alert(1)<",
    "=1+1",
    "🌷",
    "a\nb",
    "..dots",
    "a\\b",
    "%2e%2e",
    "-rf",
    "con",
]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_a_name(tmp_path: Path, name: str) -> None:
    """Names are data: each comes out as it stands on the disk."""
    if os.name == "nt":
        pytest.skip("Windows refuses such names itself")
    if name.startswith("."):
        make(tmp_path, f"x{name}/1{name}.jpg", "other/1.jpg")
        assert told(tmp_path)[f"x{name}/1{name}.jpg"] == (f"x{name}", None)
        return
    make(tmp_path, f"{name}/{name}.jpg", "other/1.jpg")
    assert told(tmp_path)[f"{name}/{name}.jpg"] == (name, None)


def test_one_name_in_two_spellings_is_one_class(tmp_path: Path) -> None:
    """A Mac writes é in two characters, others in one: the class is the same, the files keep their own paths."""
    composed, decomposed = unicodedata.normalize("NFC", "café"), unicodedata.normalize("NFD", "café")
    make(tmp_path, f"{composed}/1.jpg", f"{decomposed}/2.jpg", "bar/1.jpg")
    found = list(walk(tmp_path))
    assert {item.label for item in found} == {composed, "bar"}
    assert all(item.path.exists() for item in found) and len(found) == 3


def test_a_name_that_is_not_text_is_told(tmp_path: Path) -> None:
    """Bytes that are no UTF-8 can't be shown or kept: left out, and neither name nor class has them."""
    if os.name == "nt":
        pytest.skip("Windows has text names only")
    try:
        make(tmp_path, "cat/ok.jpg", "dog/ok.jpg")
        for name in (b"cat/\xff\xfe.jpg", b"\xff\xfa/1.jpg"):
            path = Path(os.fsdecode(bytes(tmp_path) + b"/" + name))
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"x")
    except OSError:
        pytest.skip("this file system has text names only")
    found = list(walk(tmp_path))
    bad = [item for item in found if item.reason]
    assert len(found) == 4 and len(bad) == 2
    for item in bad:
        assert "text" in (item.reason or "")
        f"{item.relative} {item.label}".encode()
    assert sorted(told(tmp_path)) == ["cat/ok.jpg", "dog/ok.jpg"]


def reasons(found: list[Found]) -> dict[str, str | None]:
    return {item.relative: item.reason for item in found}


def test_links(tmp_path: Path) -> None:
    """A link out of the folder, to a folder or to nothing is told and not followed; one to a file inside is a file."""
    root = make(tmp_path / "root", "cat/1.jpg", "dog/1.jpg")
    make(tmp_path / "secret", "passwords.jpg")
    try:
        (root / "cat" / "inside.jpg").symlink_to(root / "dog" / "1.jpg")
        (root / "cat" / "relative.jpg").symlink_to("../dog/1.jpg")
        (root / "cat" / "out.jpg").symlink_to(tmp_path / "secret" / "passwords.jpg")
        (root / "cat" / "out of it").symlink_to(tmp_path / "secret", target_is_directory=True)
        (root / "cat" / "gone.jpg").symlink_to(root / "dog" / "9.jpg")
        (root / "cat" / "round").symlink_to(root, target_is_directory=True)
        (root / "cat" / "self.jpg").symlink_to("self.jpg")
        (root / "whole class").symlink_to(tmp_path / "secret", target_is_directory=True)
    except OSError:
        pytest.skip("links can't be made here")
    told_reasons = reasons(list(walk(root)))
    assert {name for name, reason in told_reasons.items() if reason is None} == {
        "cat/1.jpg",
        "cat/inside.jpg",
        "cat/relative.jpg",
        "dog/1.jpg",
    }
    assert "leads out" in (told_reasons["cat/out.jpg"] or "") and "leads out" in (told_reasons["cat/out of it"] or "")
    assert "leads out" in (told_reasons["whole class"] or "")
    assert "not exist" in (told_reasons["cat/gone.jpg"] or "")
    assert not any("passwords" in name and name != "cat/out.jpg" for name in told_reasons)
    assert len(told_reasons) == 10


def test_the_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    """What the user opens is opened, also by a link; only what leads out of it is not."""
    make(tmp_path / "root", "cat/1.jpg", "dog/1.jpg")
    try:
        (tmp_path / "link").symlink_to(tmp_path / "root", target_is_directory=True)
    except OSError:
        pytest.skip("links can't be made here")
    assert sorted(told(tmp_path / "link")) == ["cat/1.jpg", "dog/1.jpg"]


@pytest.mark.parametrize(
    "name, code",
    [("gone", "no-such-folder"), ("file", "not-a-folder"), ("x" * 300, "no-such-folder"), ("file/below", "no-such-folder")],
)
def test_a_folder_that_is_none(tmp_path: Path, name: str, code: str) -> None:
    """Each kind of wrong path has its code, names the path and says what to do."""
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError) as caught:
        list(walk(tmp_path / name))
    assert caught.value.code == code and caught.value.file == str(tmp_path / name) and caught.value.fix


def test_an_empty_folder_holds_nothing(tmp_path: Path) -> None:
    """Nothing, only litter, or only empty folders: no files and no error."""
    assert list(walk(tmp_path)) == []
    (tmp_path / ".DS_Store").write_text("")
    (tmp_path / "cat" / "kitten").mkdir(parents=True)
    assert list(walk(tmp_path)) == []


@pytest.mark.skipif(sys.platform == "win32", reason="paths are short there")
def test_folders_nested_without_end(tmp_path: Path) -> None:
    """Deeper than Python calls itself: the picture at the bottom is found, and so is what comes after it."""
    make(tmp_path, "a/0.png", "b/1.png")
    folder = f"{tmp_path}/a"
    for _level in range(1200):
        folder += "/d"
        os.mkdir(folder)  # noqa: PTH102
    Path(folder, "deep.png").touch()
    try:
        names = [Path(name).name for name in told(tmp_path)]
    finally:
        # Not by `rmtree`, which calls itself for each level.
        subprocess.run(["rm", "-r", str(tmp_path / "a")], check=True)
    assert names == ["0.png", "deep.png", "1.png"]

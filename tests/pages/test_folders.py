from __future__ import annotations

from pathlib import Path

import pytest

from pages.ui import folders
from transfer_core.errors import DataError


@pytest.mark.parametrize("write", ["{}", "  {}  ", '"{}"', "'{}'", "{}/", "{}/x/..", "file://{}"])
def test_a_folder_is_understood_however_it_was_pasted(tmp_path: Path, write: str) -> None:
    folder = tmp_path / "my pictures"
    folder.mkdir()
    assert folders.typed_folder(write.format(folder)) == folder


@pytest.mark.parametrize("text", ["", "  ", '""', "/no/such/folder", "~nobody-there/x", "x\0y", "a" * 5000])
def test_what_is_no_folder_is_said(text: str) -> None:
    with pytest.raises(DataError) as error:
        folders.typed_folder(text)
    assert error.value.fix


def test_a_file_is_no_folder_and_a_folder_no_file(tmp_path: Path) -> None:
    file = tmp_path / "weights.pth"
    file.write_bytes(b"x")
    assert folders.typed_file(str(file)) == file
    for kind, path in ((folders.typed_folder, file), (folders.typed_file, tmp_path), (folders.typed_file, "")):
        with pytest.raises(DataError):
            kind(str(path))


def test_a_look_into_a_folder(tmp_path: Path) -> None:
    root = tmp_path / "somewhere"
    root.mkdir()
    for name in ("roses", "Tulips", ".hidden"):
        (root / name).mkdir()
    for name in ("1.jpg", "2.PNG", "notes.txt", "more.zip", "labels.CSV"):
        (root / name).write_bytes(b"")
    (root / "nowhere").symlink_to(root / "gone")
    inside = folders.look_into(root)
    assert [folder.name for folder in inside.folders] == ["roses", "Tulips"]
    assert (inside.pictures, inside.more) == (2, False)
    assert [door.name for door in inside.doors] == ["labels.CSV", "more.zip"]
    with pytest.raises(DataError):
        folders.look_into(root / "gone")


def test_a_folder_of_thousands_is_cut_short_and_says_so(tmp_path: Path) -> None:
    for number in range(310):
        (tmp_path / str(number)).mkdir()
    inside = folders.look_into(tmp_path)
    assert inside.more and len(inside.folders) == 300

"""Files that can't be used are told apart by what is the matter with them; no broken file stops the look."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from transfer_core.advice.checks import files
from transfer_core.advice.checks.check import Evidence, Finding
from transfer_core.advice.checks.files import matter
from transfer_core.data.project import Project
from transfer_core.data.scan import scan

Look = Callable[..., dict[str, Finding]]


@pytest.fixture
def folder(pictures: Callable[..., Path]) -> Path:
    return pictures(count=14)


def whole_jpeg(folder: Path) -> bytes:
    return (folder / "circle" / "000.jpg").read_bytes()


FAULTS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "truncated": ("circle/cut.jpg", lambda whole: whole[: len(whole) // 2]),
    "broken": ("circle/bad.jpg", lambda whole: b"\xff\xd8\xff\xe0" + bytes(500) + b"\xff\xd9"),
    "empty": ("circle/empty.jpg", lambda whole: b""),
    "phone-format": ("circle/phone.heic", lambda whole: b"\0\0\0\x18ftypheic" + bytes(80)),
    "stray": ("lost.jpg", lambda whole: whole + b" "),
    "not-a-picture": ("circle/notes.txt", lambda whole: b"remember the milk"),
}


@pytest.mark.parametrize("check", FAULTS)
def test_each_fault_is_one_finding(check: str, folder: Path, look: Look, names: Callable[[Path, Finding], list[str]]) -> None:
    name, spoil = FAULTS[check]
    (folder / name).write_bytes(spoil(whole_jpeg(folder)))
    found = look(folder)
    assert list(found) == [check]
    assert names(folder, found[check]) == [name] and found[check].values["example"] == name


def test_all_faults_at_once_are_told_apart(folder: Path, look: Look) -> None:
    whole = whole_jpeg(folder)
    for name, spoil in FAULTS.values():
        (folder / name).write_bytes(spoil(whole))
    assert {check: finding.count for check, finding in look(folder).items()} == dict.fromkeys(FAULTS, 1)


def test_a_picture_too_large_is_told(folder: Path, look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    large = folder / "circle" / "large.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 90, 3), dtype=np.uint8)).save(large)
    monkeypatch.setattr(files, "MAX_BYTES", 20_000)
    assert matter(large, "circle") == "too-large"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="an administrator may read everything")
def test_a_file_that_may_not_be_read_is_told(folder: Path, look: Look) -> None:
    (folder / "circle" / "000.jpg").chmod(0)
    assert list(look(folder)) == ["unreadable"]


def test_a_file_that_went_meanwhile_is_told(tmp_path: Path) -> None:
    assert matter(tmp_path / "gone.jpg", "circle") == "unreadable"


def test_noise_under_any_name_has_an_answer(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    begins = (b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF....WEBP", b"GIF89a", b"BM", b"II*\0")
    for number in range(200):
        path = tmp_path / f"{number}{('.jpg', '.png', '.tif', '.dat', '')[number % 5]}"
        path.write_bytes(begins[number % len(begins)] + generator.bytes(int(generator.integers(0, 400))))
        assert matter(path, "circle") in (*files.MATTERS, "other-file")


def test_more_than_are_looked_at_are_still_counted(folder: Path, look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        (folder / "circle" / f"{number}.txt").write_text(f"page {number}")
    monkeypatch.setattr(files, "LOOKED_AT", 3)
    assert {check: finding.count for check, finding in look(folder).items()} == {"not-a-picture": 3, "other-file": 2}


def test_a_name_that_promises_another_format_is_a_note(folder: Path, look: Look) -> None:
    (folder / "circle" / "000.jpg").rename(folder / "circle" / "000.png")
    (folder / "circle" / "001.jpg").rename(folder / "circle" / "001.JPEG")
    found = look(folder)
    assert list(found) == ["wrong-extension"]
    assert (found["wrong-extension"].count, found["wrong-extension"].values["format"]) == (1, "JPEG")


def test_a_look_at_many_broken_files_can_be_stopped(folder: Path) -> None:
    """Each is decoded once more to tell what is the matter; thousands of them take minutes."""
    for number in range(9):
        (folder / "circle" / f"cut{number}.jpg").write_bytes(whole_jpeg(folder)[: 500 + number])
    project = Project.for_source(folder)
    scan(project)
    looks: list[None] = []

    def stop_at_the_third() -> None:
        looks.append(None)
        if len(looks) == 3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        list(files.left_out(Evidence(project.table.samples(state=None), checkpoint=stop_at_the_third)))

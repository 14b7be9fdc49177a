"""Folders as they really are: what can't be used is named and left out, the rest trains; what can't be trained says why."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.faults.conftest import ROOT, Command
from transfer_core.data.project import Project
from transfer_core.data.scan import scan

NAMES = ("向日葵", 'it\'s a "rose"', "<script>alert(1)<script>", "=HYPERLINK(1)", "a b  c", "*bold* _x_ `y`")


def left_out(folder: Path) -> dict[str, str]:
    """Why each file of a data folder was left out, by its name."""
    project = Project.for_source(folder)
    scan(project)
    return {Path(sample.relative).name: sample.reason or "" for sample in project.table.left_out()}


def huge_png(file: Path, side: int = 30_000) -> None:
    """A PNG that says it is `side` x `side` and, in a few KB of zeros, really is."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    packer = zlib.compressobj(9)
    row = b"\0" * (side // 8 + 1)
    pixels = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b""))


@pytest.fixture
def odd(pictures: Any) -> Path:
    """A folder with every odd file that can be read, and every one that can't."""
    folder: Path = pictures(count=8)
    square = folder / "square"
    picture = Image.open(square / "000.jpg")
    grey = np.linspace(0, 65535, 64 * 48).reshape(48, 64).astype(np.uint16)
    picture.convert("CMYK").save(square / "cmyk.jpg")
    Image.fromarray(grey).save(square / "sixteen.png")
    transparent = picture.convert("RGBA")
    transparent.putalpha(128)
    transparent.save(square / "transparent.png")
    picture.convert("P").save(square / "animated.gif", save_all=True, append_images=[Image.new("P", picture.size, 5)])
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.save(square / "rotated.jpg", exif=exif)
    (square / "text.jpg").write_text("these are my notes")
    (square / "empty.jpg").touch()
    (square / "truncated.jpg").write_bytes((square / "001.jpg").read_bytes()[:700])
    huge_png(square / "huge.png")
    outside = folder.parent / "outside.jpg"
    shutil.copy(square / "002.jpg", outside)
    (square / "link.jpg").symlink_to(outside)
    return folder


def test_odd_files_are_named_and_the_rest_trains(odd: Path, command: Command) -> None:
    """A run over a folder of odd files finishes, uses those that can be read, and names each of the others with its reason."""
    code, report = command("train", odd)
    assert code == 0, report
    assert report["images"] == 3 * 8 + 5
    reasons = left_out(odd)
    assert set(reasons) == {"text.jpg", "empty.jpg", "truncated.jpg", "huge.png", "link.jpg"}
    assert "empty" in reasons["empty.jpg"]
    assert "end of the file is missing" in reasons["truncated.jpg"]
    assert "million pixels" in reasons["huge.png"]
    assert "leads out" in reasons["link.jpg"]
    events = [json.loads(line) for line in (Path(report["run"]) / "events.jsonl").read_text().splitlines()]
    assert any("5 files were left out" in event.get("message", "") for event in events)


def test_predict_answers_odd_files_with_errors(odd: Path, command: Command) -> None:
    """One picture that can't be read does not keep the others from being answered, and is named."""
    _, report = command("train", odd)
    square = odd / "square"
    code, answers = command(
        "predict", report["model"], square / "003.jpg", square / "text.jpg", square / "huge.png", square / "cmyk.jpg"
    )
    assert code == 0
    assert [set(answer) >= {"error"} for answer in answers] == [False, True, True, False]
    assert answers[1]["error"]["code"] == "not-a-picture" and "text.jpg" in answers[1]["error"]["message"]
    assert answers[2]["error"]["code"] == "too-large"


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root can start a child with fewer rights")
def test_unreadable_file_is_named(pictures: Any, tmp_path: Path) -> None:
    """A file that may not be read is left out with that reason, in a child without root's rights."""
    folder = pictures(count=3)
    (folder / "square" / "000.jpg").chmod(0)
    home = tmp_path / "nobody"
    home.mkdir(mode=0o777)
    home.chmod(0o777)
    for parent in (tmp_path, *tmp_path.parents):
        if parent.stat().st_uid == os.geteuid() and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o055)
    # A first scan with all rights: what is imported on the way may lie where the child may not read any more.
    script = (
        "import os, pathlib; from transfer_core.data.project import Project; from transfer_core.data.scan import scan\n"
        f"p = Project.for_source(pathlib.Path({str(folder)!r})); scan(p); p.delete(); os.chmod({str(home)!r}, 0o777)\n"
        f"os.environ['TRANSFER_STUDIO_HOME'] = {str(home / 'own')!r}\n"
        "os.setgid(65534); os.setuid(65534)\n"
        f"p = Project.for_source(pathlib.Path({str(folder)!r})); scan(p)\n"
        "print([(s.relative, s.reason) for s in p.table.left_out()])"
    )
    environment = os.environ | {"TRANSFER_STUDIO_HOME": str(home), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-B", "-c", script], capture_output=True, text=True, env=environment)
    assert "square/000.jpg" in done.stdout, done.stderr
    assert "can't be read" in done.stdout


def test_names_are_data(pictures: Any, command: Command) -> None:
    """Class names in Chinese, with quotes, markup and a leading = come through training and prediction as they are."""
    folder = pictures(classes=NAMES, count=4)
    code, report = command("train", folder)
    assert code == 0, report
    assert report["classes"] == sorted(NAMES)
    picture = folder / NAMES[3] / "000.jpg"
    table = folder.parent / "answers.csv"
    code, answers = command("predict", report["model"], picture, "--csv", table)
    assert code == 0 and {label for label, _ in answers[0]["top"]} <= set(NAMES)
    for line in table.read_text(encoding="utf-8-sig").splitlines():
        assert not any(cell.startswith(("=", '"=')) for cell in line.split(","))
    card = (Path(report["model"]) / "README.md").read_text()
    assert "`<script>" in card


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda folder: folder.mkdir(), "no-images"),
        (lambda folder: (folder / "a" / "b").mkdir(parents=True), "no-images"),
        (lambda folder: None, "no-such-folder"),
        (lambda folder: folder.write_text("x"), "not-a-folder"),
    ],
    ids=["empty", "empty-classes", "missing", "a-file"],
)
def test_nothing_to_train_on(make: Any, code: str, tmp_path: Path, command: Command) -> None:
    """A folder without pictures is refused with a sentence that names it and says what to do."""
    folder = tmp_path / "data"
    make(folder)
    exit_code, answer = command("train", folder)
    assert exit_code == 2
    assert answer["error"]["code"] == code
    assert str(folder) in answer["error"]["message"] and answer["error"]["fix"]


def test_one_class_only(pictures: Any, command: Command) -> None:
    """A single class is refused by name."""
    exit_code, answer = command("train", pictures(classes=("circle",)))
    assert (exit_code, answer["error"]["code"]) == (2, "one-class")
    assert "circle" in answer["error"]["message"]


def test_class_with_one_picture(pictures: Any, command: Command) -> None:
    """A class with a single picture trains, and the run says that nothing can be said about it."""
    folder = pictures(count=8)
    for file in sorted((folder / "square").iterdir())[1:]:
        file.unlink()
    code, report = command("train", folder)
    assert code == 0, report
    assert "square" in report["classes"]
    assert "The class square has a single picture" in (Path(report["run"]) / "events.jsonl").read_text()

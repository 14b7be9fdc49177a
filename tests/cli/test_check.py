"""`check` names what is wrong for people, the most important first, and gives the same as data."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import shape_picture
from transfer_core.cli import main

Answer = Callable[..., tuple[int, Any]]


@pytest.fixture
def messy(tmp_path: Path) -> Path:
    """Two classes, in one of which a picture of the other stands as a copy, a file that is cut off, and a note."""
    generator = np.random.default_rng(0)
    folder = tmp_path / "messy"
    for number, label in enumerate(("circle", "square")):
        (folder / label).mkdir(parents=True)
        for place in range(12):
            shape_picture(number, (64, 48), generator).save(folder / label / f"{place}.jpg")
    shutil.copy(folder / "circle" / "3.jpg", folder / "square" / "same.jpg")
    whole = (folder / "circle" / "0.jpg").read_bytes()
    (folder / "square" / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "circle" / "notes.txt").write_text("milk")
    return folder


def test_people_get_a_list(messy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(messy)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("!! 2 pictures are the same to the byte")
    assert lines[1].strip() == "circle/3.jpg (like square/same.jpg)" and lines[2].startswith("! ")
    assert any(line.startswith("!  1 picture ends too early") for line in lines)
    assert lines[-1].startswith("-  1 file is no picture")


def test_programs_get_the_same_as_data(messy: Path, answer: Answer) -> None:
    code, data = answer("check", messy)
    assert code == 0
    assert (data["images"], data["classes"], data["left_out"], data["backbone"]) == (25, 2, 2, "starter")
    found = {finding["check"]: finding for finding in data["findings"]}
    assert {"two-labels", "truncated", "not-a-picture"} <= set(found)
    assert found["truncated"]["items"][0]["file"] == str(messy / "square" / "cut.jpg")


def test_a_clean_set_is_said_to_be_clean(tmp_path: Path, capsys: pytest.CaptureFixture[str], messy: Path) -> None:
    for name in ("square/same.jpg", "square/cut.jpg", "circle/notes.txt"):
        (messy / name).unlink()
    assert main(["check", str(messy)]) == 0
    assert capsys.readouterr().out == "Nothing was found that somebody should look at.\n"


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path, answer: Answer) -> None:
    code, data = answer("check", tmp_path / "nowhere")
    assert code == 2 and data["error"]["code"] == "no-such-folder"


def test_a_network_that_there_is_none_of_is_an_error(messy: Path, answer: Answer) -> None:
    """It would look with another one, and be believed to have looked with this."""
    code, data = answer("check", messy, "--backbone", "resnet19")
    assert code == 2 and data["error"]["code"] == "unknown-backbone"

"""Preferences: kept for everybody, each by itself, and never in the way when they are damaged."""

from __future__ import annotations

import subprocess
import sys

import pytest

from transfer_core import places, preferences
from transfer_core.errors import StorageError


def test_what_was_changed_is_read_and_the_rest_stays() -> None:
    assert preferences.read() == {}
    preferences.change(language="zh_CN")
    preferences.change(weights_mirror="/mirror")
    assert preferences.read() == {"language": "zh_CN", "weights_mirror": "/mirror"}
    preferences.change(language=None)
    assert preferences.read() == {"weights_mirror": "/mirror"}


@pytest.mark.parametrize("content", ["{broken", "[]", ""])
def test_a_damaged_file_is_as_none(content: str) -> None:
    preferences.settings_file().write_text(content, encoding="utf-8")
    assert preferences.read() == {}
    preferences.change(language="en")
    assert preferences.read() == {"language": "en"}


def test_a_home_that_can_not_be_is_told_only_when_something_is_to_be_kept() -> None:
    places.home().write_text("a file in the folder's place")
    assert preferences.read() == {}
    with pytest.raises(StorageError):
        preferences.change(language="en")


def test_processes_that_change_different_ones_lose_none() -> None:
    code = (
        "import sys; from transfer_core import preferences\nfor n in range(20): preferences.change(**{sys.argv[1] + str(n): n})"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code, letter]) for letter in "ab"]
    assert [process.wait() for process in processes] == [0, 0]
    assert len(preferences.read()) == 40

"""A home of its own for every test, some pictures, and the command as a process whose training is a stand-in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from transfer_core.cli import main

FAKE_CLI = Path(__file__).with_name("fake_cli.py")
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    monkeypatch.setenv("TRANSFER_STUDIO_HOME", str(home))
    monkeypatch.delenv("TRANSFER_STUDIO_LANGUAGE", raising=False)
    return home


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    for label, colour in (("cat", "red"), ("dog", "blue")):
        folder = tmp_path / "pictures" / label
        folder.mkdir(parents=True)
        for number in range(2):
            Image.new("RGB", (8 + number, 8), colour).save(folder / f"{label}{number}.png")
    return tmp_path / "pictures"


@pytest.fixture
def command() -> Callable[..., subprocess.Popen[str]]:
    """Begins `transfer-studio ARGUMENTS` as a process; the training of its runs is the stand-in of tests/runs."""

    def begin(*arguments: str | Path, prelude: Sequence[str] = ()) -> subprocess.Popen[str]:
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        return subprocess.Popen(
            [sys.executable, *prelude, str(FAKE_CLI), *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )

    return begin


@pytest.fixture
def answer(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, Any]]:
    """Carries out a command with `--json` in this process: its exit code, and the last line of its output as data."""

    def ask(*arguments: str | Path) -> tuple[int, Any]:
        code = main([*map(str, arguments), "--json"])
        return code, json.loads(capsys.readouterr().out.splitlines()[-1])

    return ask

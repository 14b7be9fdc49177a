"""What all commands have in common: errors, usage, output that is cut off, and how fast they are there."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from transfer_core import __version__
from transfer_core.cli import doctor, main
from transfer_core.errors import DataError

Answer = Callable[..., tuple[int, Any]]
ROOT = Path(__file__).parents[2]


def test_nothing_given_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "train a model" in capsys.readouterr().out


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert __version__ in capsys.readouterr().out
    assert main(["train", "--help"]) == 0
    assert "Example: transfer-studio train flowers" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["train"],
        ["train", "a", "--threads", "x"],
        ["train", "a", "--unknown"],
        ["train", "a", "--backb", "starter"],
        ["runs"],
        ["runs", "show"],
        ["app", "--port", "0"],
        ["export", "model"],
    ],
)
def test_usage_errors(answer: Answer, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    code, data = answer(*arguments)
    assert code == 2 and data["error"]["code"] == "usage" and "--help" in data["error"]["fix"]
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and "--help" in captured.err and "Traceback" not in captured.err


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (DataError("No.", code="why", file="x", fix="Do."), "why"),
        (OSError(errno.ENOSPC, "No space left on device", "answers.csv"), "disk-full"),
        (PermissionError(errno.EACCES, "Permission denied", "x"), "storage"),
        (KeyboardInterrupt(), "interrupted"),
        (ZeroDivisionError("secret detail"), "internal"),
    ],
)
def test_errors(
    answer: Answer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    own_home: Path,
    raised: BaseException,
    code: str,
) -> None:
    def fail(options: object) -> int:
        raise raised

    monkeypatch.setattr(doctor, "run", fail)
    result, data = answer("doctor")
    assert result == 2 and data["error"]["code"] == code and set(data["error"]) == {"code", "message", "file", "fix"}
    assert main(["doctor"]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.startswith(data["error"]["message"])
    assert "Traceback" not in captured.err
    if code == "internal":
        assert "secret detail" in Path(data["error"]["file"]).read_text()


def test_a_reader_that_has_gone() -> None:
    code = (
        "import sys; from transfer_core.cli import main, output, doctor\n"
        "doctor.run = lambda options: [output.line('x' * 1000) for _ in range(10000)] and 0\n"
        "sys.exit(main(['doctor']))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout and process.stderr
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 2


def test_names_can_not_command_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "no\x1b[2Jmodel", "data"]) == 2
    captured = capsys.readouterr()
    assert "\x1b" not in captured.err and "\\x1b[2J" in captured.err


LIGHT = ("torch", "torchvision", "streamlit", "pydantic", "pandas", "plotly", "onnx")


@pytest.mark.parametrize("arguments", [["--help"], ["predict", "nowhere", "nothing.jpg"]])
def test_starts_without_what_takes_long(arguments: list[str]) -> None:
    found = f"[name for name in {LIGHT} if name in sys.modules]"
    code = f"import sys; from transfer_core.cli import main; main({arguments}); print({found}, file=sys.stderr)"
    start = time.perf_counter()
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert result.stderr.splitlines()[-1] == "[]", result.stderr
    assert time.perf_counter() - start < 10  # generous: a test machine is busy


def test_as_a_module() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "transfer_core.cli", "runs", "show", "x", "--json"], cwd=ROOT, capture_output=True, text=True
    )
    assert result.returncode == 2 and json.loads(result.stdout)["error"]["code"] == "no-such-run"

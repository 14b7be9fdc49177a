"""`projects list` and `doctor`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from transfer_core.advice import computer
from transfer_core.advice.computer import Problem
from transfer_core.cli import main
from transfer_core.data.project import Project

Answer = Callable[..., tuple[int, Any]]


def test_projects(answer: Answer, pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert answer("projects", "list") == (0, {"projects": []})
    project = Project.for_source(pictures)
    code, data = answer("projects", "list")
    (entry,) = data["projects"]
    assert code == 0 and entry["project"] == str(project.folder) and entry["sources"] == [str(pictures)]
    assert set(entry) == {"name", "project", "images", "classes", "sources", "modified"}
    assert main(["projects", "list"]) == 0
    assert project.name in capsys.readouterr().out


def test_doctor(answer: Answer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(computer, "_weights", lambda: ["starter"])
    monkeypatch.setattr(computer, "room_problems", lambda *_: [Problem("The disk is full.", "Free some space.")])
    code, data = answer("doctor")
    assert code == 0 and data["weights"] == ["starter"] and json.dumps(data)
    assert {"message": "The disk is full.", "fix": "Free some space."} in data["problems"]
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "! The disk is full. Free some space." in out and "torch" in out

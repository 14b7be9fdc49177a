"""`train --find-rate`: the suggestion, the whole curve as data, and what it is refused for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from transfer_core.cli import main
from transfer_core.data.project import Project
from transfer_core.training import rate_finder
from transfer_core.training.rate_curve import RateCurve
from transfer_core.training.settings import RunSettings

Answer = Callable[..., tuple[int, Any]]
CURVE = RateCurve((1e-7, 1e-3, 1e-2), (1.0, 0.9, 0.4), 0.0031, 0.00074)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[RunSettings]:
    """The settings that were searched for; the search itself is a stand-in."""
    found: list[RunSettings] = []

    def find(project: Project, settings: RunSettings, emit: Callable[..., None], requested: Callable[[], object]) -> RateCurve:
        assert project.sources and requested() is None
        found.append(settings)
        emit("phase", name="train")
        emit("progress", done=1, total=2, eta_seconds=None)
        return CURVE

    monkeypatch.setattr(rate_finder, "find_rate", find)
    return found


def test_the_suggestion_is_printed(asked: list[RunSettings], pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", str(pictures), "--plan", "custom", "--set", "batch_size=8", "--find-rate"]
    assert main(words) == 0
    told = capsys.readouterr()
    assert told.out == "The loss falls fastest at a learning rate of 0.0031: a good choice. 0.00074 is a careful one.\n"
    assert "--set learning_rate=0.0031" in told.err
    assert asked == [RunSettings(plan="custom", batch_size=8)]
    assert not list((Project.for_source(pictures).folder / "runs").glob("*"))


def test_the_curve_is_data(asked: list[RunSettings], pictures: Path, answer: Answer) -> None:
    code, data = answer("train", pictures, "--plan", "custom", "--find-rate")
    assert code == 0 and RateCurve.from_data(data) == CURVE


@pytest.mark.parametrize(
    ("words", "code"),
    [((), "no-steps"), (("--plan", "better"), "no-steps"), (("--plan", "custom", "--out", "run"), "usage")],
)
def test_what_it_is_refused_for(
    words: tuple[str, ...], code: str, asked: list[RunSettings], pictures: Path, own_home: Path, answer: Answer
) -> None:
    """Before anything is made."""
    exit_code, data = answer("train", pictures, "--find-rate", *words)
    assert exit_code == 2 and data["error"]["code"] == code and data["error"]["fix"]
    assert not asked and not list(own_home.glob("*/project.toml"))

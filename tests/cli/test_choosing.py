"""`backbones --for` prints the ranking as a table for people, and as the catalogue's objects in their order for programs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from transfer_core.advice import choose
from transfer_core.advice.choice import Choice, Row
from transfer_core.advice.measuring import Progress
from transfer_core.cli import main
from transfer_core.metrics.intervals import wilson

Answer = Callable[..., tuple[int, Any]]


def row(backbone: str, right: int | None, **more: Any) -> Row:
    score = wilson(right, 100) if right is not None else None
    plain = {"digest": "d", "size": 224, "file_size": 10**7, "commercial": True, "accuracy": 70.0, "seconds": 2.0}
    return Row(
        label=backbone.title(), backbone=backbone, seconds_measured=False, neighbours=score, validated=score, **(plain | more)
    )


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    calls: list[tuple[Any, ...]] = []
    rows = [row("resnet18", 90), row("starter", 80, accuracy=None), row("vit_h_14", None, digest=None, left_out="too slow")]

    def stand_in(data: Path, download: bool, seconds: float | None, progress: Callable[[Progress], None]) -> Choice:
        calls.append((data, download, seconds))
        progress(Progress(None, 1, 2, None))
        return Choice(rows, rows[0], "Because.", 100, 400)

    monkeypatch.setattr(choose, "choose_for", stand_in)
    return calls


def test_a_table_and_a_sentence(
    asked: list[tuple[Any, ...]], pictures: Path, own_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["backbones", "--for", str(pictures), "--minutes", "2", "--download"]) == 0
    assert asked == [(own_home / "pictures", True, 120.0)]
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert "recommended" in lines[1] and "90.0 % (83-94)" in lines[1] and "~2.0" in lines[1]
    assert "too slow" in lines[3] and lines[4] == "Because."
    assert "100" in captured.err and "400" in captured.err


def test_the_catalogues_objects_in_their_order(asked: list[tuple[Any, ...]], pictures: Path, answer: Answer) -> None:
    code, data = answer("backbones", "--for", pictures)
    assert code == 0
    assert [(each["name"], each["rank"], each["recommended"], each["here"]) for each in data] == [
        ("resnet18", 1, True, True),
        ("starter", 2, False, True),
        ("vit_h_14", 3, False, False),
    ]
    assert {"weights", "parameters", "multiply_adds", "licence", "accuracy"} <= data[0].keys()
    assert data[0]["validated"]["count"] == 100 and data[0]["why"] == "Because."


def test_no_time_at_all_is_refused(asked: list[tuple[Any, ...]], answer: Answer) -> None:
    code, data = answer("backbones", "--for", "flowers", "--minutes", "0")
    assert code == 2 and data["error"]["code"] == "usage" and not asked

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from transfer_core.data import caches
from transfer_core.training import better, tail
from transfer_core.training.context import Context, Stopped
from transfer_core.training.execute import execute


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """One epoch of three views."""
    for module in (better, tail):
        monkeypatch.setattr(module, "RECIPE", replace(better.RECIPE, epochs=1, views=3, views_an_epoch=3))


def views(ran) -> int:
    """How many of each picture lie in the project's store at the boundary; those held out lie in a smaller one."""
    keys = max(file.stat().st_size // 16 for file in (ran.project.cache / "boundary").glob("*/keys.bin"))
    return keys // len(ran.project.table.samples())


def test_fewer_views_where_the_budget_is_small_and_as_many_after_a_stop(pictures, run, monkeypatch) -> None:
    """What fits is settled once: a resumed run keeps to it, whatever the budget is by then."""
    monkeypatch.setattr(caches, "room_beside", lambda _folder: 0)
    ran = run(pictures(count=6), plan="better")
    with pytest.raises(Stopped):
        ran.go(lambda ran: "stop" if any(event["name"] == "boundary" for event in ran.told("phase")) else None)
    notices = " ".join(event["message"] for event in ran.told("notice"))
    assert "that are kept: 1 in place of 3" in notices
    assert json.loads((ran.folder / "choices.json").read_text())["views"] == 1
    monkeypatch.setattr(caches, "room_beside", lambda _folder: 10**12)
    execute(Context(ran.folder, ran.project, ran.settings, lambda *_, **__: None, lambda: None, resumed=True))
    assert views(ran) == 1


def test_a_run_larger_than_the_budget_says_so_and_frees_at_its_end(pictures, run, monkeypatch) -> None:
    """It takes what it needs; afterwards what is kept is within the budget, and the model is there."""
    monkeypatch.setattr(caches, "budget", lambda _kept: 1000)
    ran = run(pictures(count=6))
    ran.go()
    assert any("over what may be kept" in event["message"] for event in ran.told("notice"))
    assert sum(store.bytes for store in caches.stores()) <= 1000 and (ran.model / "model.onnx").exists()


@pytest.mark.parametrize("share", [1.0, 6 / 7])
def test_what_is_scored_is_kept_once(pictures, run, monkeypatch, share) -> None:
    """Beside smaller views the pictures held out are kept at full size; among views of that size they are already."""
    monkeypatch.setattr(tail, "RECIPE", replace(tail.RECIPE, size_share=share))
    ran = run(pictures(count=6), plan="better")
    ran.go()
    stores = sorted((ran.project.cache / "boundary").glob("*/keys.bin"))
    counts = sorted(file.stat().st_size // 16 / len(ran.project.table.samples()) for file in stores)
    assert counts[-1] == 3 and len(counts) == (1 if share == 1 else 2)
    assert share == 1 or 0 < counts[0] < 1
    assert all(0 <= event["done"] <= event["total"] for event in ran.told("progress"))

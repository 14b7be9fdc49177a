"""The search for a learning rate, in this process, on the small backbone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from transfer_core.data.project import Project
from transfer_core.errors import SettingsError
from transfer_core.training import loop, rate_finder
from transfer_core.training.context import Stopped
from transfer_core.training.optimisers import RATE
from transfer_core.training.rate_curve import FEWEST_STEPS, HIGHEST, RateCurve
from transfer_core.training.rate_finder import find_rate

SETTINGS = {"plan": "custom", "batch_size": 8, "freeze": "last-stage"}


def found(ran: Any, requested: Callable[[], Any] = lambda: None) -> RateCurve:
    def emit(event: str, /, **fields: Any) -> None:
        ran.events.append({"event": event, **fields})

    return find_rate(ran.project, ran.settings, emit, requested)


def files(project: Project) -> set[Path]:
    """What lies in the project, but for its table and what may be deleted at any time."""
    return {
        path for path in project.folder.rglob("*") if "cache" not in path.parts and not path.name.startswith("samples.sqlite")
    }


def test_the_suggestion_lies_where_something_is_learnt(pictures: Callable[..., Path], run: Callable[..., Any]) -> None:
    """Above the rates at which nothing moves, below the one at which the loss goes off; and the project is as it was."""
    ran = run(pictures(count=10), **SETTINGS)
    before = files(ran.project)
    curve = found(ran)
    assert len(curve.rates) == len(curve.losses) > 20
    assert curve.suggestion is not None and curve.valley is not None
    least = curve.rates[curve.losses.index(min(curve.losses))]
    assert 1e-6 < curve.suggestion < curve.rates[-1] <= HIGHEST
    assert curve.suggestion <= least
    assert files(ran.project) == before and not list(ran.folder.iterdir())
    told = ran.told("progress")
    assert told[-1]["total"] == 8 * FEWEST_STEPS and told[-1]["done"] == 8 * len(curve.rates)


def test_the_same_settings_find_the_same_curve(pictures: Callable[..., Path], run: Callable[..., Any]) -> None:
    """Whatever the rate in the settings is: the curve goes over all of them."""
    folder = pictures(count=6)
    one, other = (found(run(folder, f"{rate}", **SETTINGS, learning_rate=rate)) for rate in (1e-3, 0.5))
    assert one.rates == other.rates
    assert one.losses == pytest.approx(other.losses, rel=1e-3)


def test_stages_keep_their_share(pictures: Callable[..., Path], run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The head's rate rises, and that of the backbone with it, at its share."""
    rates = []

    def step(task: loop.Task, state: Any, places: Any) -> tuple[torch.Tensor, torch.Tensor]:
        rates.append({group["lr"] / state.optimiser.param_groups[0]["lr"] for group in state.optimiser.param_groups})
        assert all(
            group["lr"] / group[RATE] == pytest.approx(rates_so_far(len(rates) - 1)) for group in state.optimiser.param_groups
        )
        return torch.tensor(1.0 * len(places)), torch.tensor(0)

    def rates_so_far(number: int) -> float:
        return rate_finder.rate_at(number, FEWEST_STEPS) / 1e-3

    monkeypatch.setattr(rate_finder, "take_step", step)
    found(run(pictures(count=6), **(SETTINGS | {"freeze": "none"}), backbone_rate=0.1, layer_decay=0.5))
    assert len(rates) == FEWEST_STEPS
    shares = sorted(rates[0])
    assert shares[-1] == 1 and shares[-2] == pytest.approx(0.1) and shares[-3] == pytest.approx(0.05)
    assert sorted(rates[-1]) == pytest.approx(shares)


def test_a_plan_without_steps_is_refused(pictures: Callable[..., Path], run: Callable[..., Any]) -> None:
    for plan in ("quick", "better"):
        with pytest.raises(SettingsError) as refused:
            found(run(pictures(), plan=plan))
        assert refused.value.code == "no-steps" and refused.value.fix


def test_conflicts_are_told_before_any_work(pictures: Callable[..., Path], run: Callable[..., Any]) -> None:
    ran = run(pictures(), **SETTINGS, steps=3, minutes=1)
    with pytest.raises(SettingsError):
        found(ran)
    assert not ran.events


def test_it_can_be_stopped(pictures: Callable[..., Path], run: Callable[..., Any]) -> None:
    ran = run(pictures(count=6), **SETTINGS)

    def requested() -> str | None:
        return (
            "stop" if any(event["total"] == 8 * FEWEST_STEPS and event["done"] > 24 for event in ran.told("progress")) else None
        )

    with pytest.raises(Stopped):
        found(ran, requested)
    assert not list(ran.folder.iterdir())

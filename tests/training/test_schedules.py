from __future__ import annotations

from itertools import pairwise
from typing import get_args

import pytest

from transfer_core.training.schedules import CURVES, factor
from transfer_core.training.settings import Schedule


def test_every_schedule_has_a_curve() -> None:
    """What can be set is there, and nothing else."""
    assert set(CURVES) == set(get_args(Schedule))


@pytest.mark.parametrize("name", CURVES)
@pytest.mark.parametrize("steps", [1, 2, 3, 200])
def test_factors_are_shares_of_the_rate(name: str, steps: int) -> None:
    """Never negative, never more than the whole, and the first step is one."""
    factors = [factor(name, 0.05, steps, step) for step in range(steps)]
    assert all(0 <= each <= 1 for each in factors) and factors[0] > 0


def test_cosine_warms_up_and_comes_down() -> None:
    """From small to the full rate within a twentieth, then smoothly to zero."""
    factors = [factor("cosine", 0.05, 200, step) for step in range(201)]
    assert factors[0] == pytest.approx(0.1) and factors[9] == pytest.approx(1.0)
    assert factors[10:] == sorted(factors[10:], reverse=True) and factors[200] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("warm_up", [0, 0.05])
def test_one_cycle_rises_for_a_third_and_falls_to_nothing(warm_up: float) -> None:
    """Once: a warm-up before it would reach the full rate at once, and then begin again."""
    factors = [factor("one-cycle", warm_up, 1000, step) for step in range(1000)]
    assert factors[0] == pytest.approx(0.04) and max(factors) == pytest.approx(1.0) and factors.index(max(factors)) == 300
    assert all(one <= two for one, two in pairwise(factors[:301])) and factors[-1] < 1e-4


def test_step_goes_down_twice() -> None:
    """By ten each time, at half and at three quarters."""
    factors = [factor("step", 0, 100, step) for step in range(100)]
    assert (factors[49], factors[50], factors[75]) == (1.0, pytest.approx(0.1), pytest.approx(0.01))


def test_constant_keeps_the_rate_after_its_warm_up() -> None:
    assert [factor("constant", 0.5, 4, step) for step in range(4)] == [0.5, 1.0, 1.0, 1.0]

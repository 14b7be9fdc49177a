"""How long a plan will take is told before it starts, by the work that it has and the speed of this computer."""

from __future__ import annotations

import pytest

from transfer_core.advice.depths import Amount, Task
from transfer_core.advice.plan_time import plan_time
from transfer_core.advice.speed import Speed
from transfer_core.backbones.catalogue import backbone_info

HUNDRED = Speed(100.0, measured=True)  # pictures a second


def task(train: int, val: int = 0, backbone: str = "mobilenet_v2") -> Task:
    return Task(backbone_info(backbone), Amount(train, val, 5))


def test_each_plan_takes_longer_than_the_one_before() -> None:
    """Quick is a pass over the pictures; what is done once is less than all."""
    quick, better, best = (plan_time(plan, task(200, 50), HUNDRED) for plan in ("quick", "better", "best"))
    assert quick and better and best
    assert quick.total == quick.once == pytest.approx(2.5)
    assert quick.total < better.once < better.total < best.total and best.once == better.once


def test_the_time_is_that_of_the_work() -> None:
    """Twice the speed is half the time; ten times the pictures are less than ten times, because large sets train fewer epochs."""
    slow, fast = (plan_time("better", task(250), Speed(speed, measured=True)) for speed in (50.0, 100.0))
    assert slow and fast and slow.total == pytest.approx(2 * fast.total)
    many = plan_time("better", task(2500), HUNDRED)
    assert many and fast.total < many.total < 5 * fast.total


def test_what_is_not_known_is_not_told() -> None:
    assert plan_time("custom", task(100), HUNDRED) is None

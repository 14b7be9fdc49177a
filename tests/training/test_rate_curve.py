"""What a curve of losses suggests, and when a search is over."""

from __future__ import annotations

import itertools
import math

import pytest

from transfer_core.training.rate_curve import (
    FEWEST_STEPS,
    HIGHEST,
    LOWEST,
    MOST_STEPS,
    OTHERS,
    RateCurve,
    Smoothed,
    curve_of,
    is_over,
    looked_for,
    rate_at,
    steps_of,
)
from transfer_core.training.settings import RunSettings

RATES = [rate_at(step, MOST_STEPS) for step in range(MOST_STEPS)]


def falling(centre: float, width: float = 0.3, off: float = 1.0) -> list[float]:
    """Losses that fall from 1 to 0.2 around `centre`, and rise without end from the rate `off` on."""
    return [
        0.2 + 0.8 / (1 + math.exp((math.log10(rate) - math.log10(centre)) / width)) + max(0.0, 20 * (rate - off))
        for rate in RATES
    ]


def curve(losses: list[float]) -> RateCurve:
    """What a search over all of the rates would make of these smoothed losses."""
    return curve_of(RATES, losses, MOST_STEPS)


def test_rates_rise_by_the_same_factor() -> None:
    assert RATES[0] == pytest.approx(LOWEST) and RATES[-1] == pytest.approx(HIGHEST)
    factors = [after / before for before, after in itertools.pairwise(RATES)]
    assert max(factors) == pytest.approx(min(factors))


@pytest.mark.parametrize("centre", [1e-4, 1e-3, 1e-2])
def test_the_suggestion_is_where_the_loss_falls_most(centre: float) -> None:
    found = curve(falling(centre))
    assert found.suggestion is not None and centre / 1.5 < found.suggestion < centre * 1.5
    # The careful one lies on the same slope or before it.
    assert found.valley is not None and LOWEST < found.valley <= found.suggestion


def test_chance_at_the_start_suggests_nothing() -> None:
    """The first smoothed losses jump: the largest fall of all may be among them, and says nothing."""
    losses = [5.0, 1.0, *falling(1e-2)[2:]]
    assert curve(losses).suggestion == curve(falling(1e-2)).suggestion


def test_a_loss_that_never_falls_suggests_none() -> None:
    rising = [1 + step / 50 for step in range(MOST_STEPS)]
    for losses in (rising, [1.0] * MOST_STEPS, [math.inf, *rising[1:]]):
        found = curve(losses)
        assert found.suggestion is found.valley is None
    assert curve_of([1e-7], [math.nan], MOST_STEPS) == RateCurve((), (), None, None)


def test_the_careful_one_is_named_where_there_is_one() -> None:
    assert "0.002 is a careful" in RateCurve((1e-7,), (1.0,), 0.01, 0.002).verdict
    assert "careful" not in RateCurve((1e-7,), (1.0,), 0.01, 0.01).verdict
    assert "no rate" in RateCurve((1e-7,), (1.0,), None, None).verdict


def test_jumps_past_the_least_suggest_nothing() -> None:
    """Where the rate is too large the loss jumps up and falls again, faster than it ever learnt."""
    losses = falling(1e-3)
    losses[-4:] = [9.0, 30.0, 2.0, 7.0]
    assert curve(losses).suggestion == curve(falling(1e-3)).suggestion


def test_a_search_is_no_longer_than_a_few_epochs() -> None:
    assert [steps_of(count) for count in (1, 8, 20, 33, 5000)] == [FEWEST_STEPS, FEWEST_STEPS, 60, 99, MOST_STEPS]


def test_what_is_no_number_is_left_out() -> None:
    """JSON has no word for it, and a chart no place."""
    found = curve([*falling(1e-3)[:-1], math.inf])
    assert len(found.rates) == len(found.losses) == MOST_STEPS - 1
    assert RateCurve.from_data(found.as_data()) == found


def test_a_search_ends_when_the_loss_goes_off() -> None:
    assert not is_over([]) and not is_over([1.0, 0.5, 1.9]) and not is_over([0.0, 0.0])
    assert is_over([1.0, 0.5, 2.1]) and is_over([1.0, math.nan]) and is_over([math.inf])


def test_the_average_is_not_drawn_to_its_beginning() -> None:
    smoothed = Smoothed(MOST_STEPS)
    assert smoothed.add(3.0) == pytest.approx(3.0)
    assert smoothed.add(3.0) == pytest.approx(3.0)
    assert 2.0 < smoothed.add(1.0) < 3.0


def test_a_curve_is_still_that_of_settings_which_do_not_bend_it() -> None:
    """Taking the suggested rate must not make it look old; another batch size must."""
    settings = RunSettings(plan="custom")
    assert set(RunSettings.model_fields) > OTHERS
    for change in ({"learning_rate": 0.02}, {"epochs": 3}, {"schedule": "one-cycle"}, {"minutes": 2.0}):
        assert looked_for(RunSettings(plan="custom", **change)) == looked_for(settings)
    for change in ({"batch_size": 8}, {"freeze": "all"}, {"optimiser": "sgd"}, {"mixup": 0.2}, {"backbone": "resnet18"}):
        assert looked_for(RunSettings(plan="custom", **change)) != looked_for(settings)
    assert RunSettings.check(looked_for(RunSettings(plan="custom", mixup=0.2))).mixup == 0.2


def test_nothing_is_suggested_close_to_where_the_loss_goes_off() -> None:
    """The steepest fall may be the last one before it turns: the smoothed loss lags behind, so that one is too large."""
    losses = falling(3e-2, width=0.1, off=5e-2)
    found = curve(losses)
    least = RATES[losses.index(min(losses))]
    assert found.suggestion is not None and found.suggestion <= least / 10 * 1.06  # two digits


def test_a_model_that_is_good_from_the_start_gets_no_suggestion() -> None:
    """As a solver's solution is: the loss goes up and down by chance, and is never again as low as at first."""
    losses = [0.39, *(0.47 + 0.03 * math.sin(step) for step in range(MOST_STEPS - 1))]
    assert curve(losses).suggestion is None


def test_the_careful_rate_is_one_that_learns() -> None:
    """The loss creeps down by nothing over half of the rates: the middle of that would be a rate at which nothing moves."""
    losses = [loss - 1e-6 * step for step, loss in enumerate(falling(1e-2))]
    found = curve(losses)
    assert found.valley is not None and found.suggestion is not None
    assert found.suggestion / 20 < found.valley < found.suggestion

from __future__ import annotations

import math

import pytest

from transfer_core.metrics.intervals import Score, told_apart, wilson


@pytest.mark.parametrize(
    "correct, count, low, high",
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (20, 20, 0.8389, 1.0),
        (28, 29, 0.8282, 0.9939),
    ],
)
def test_known_intervals(correct: int, count: int, low: float, high: float) -> None:
    """The values in Newcombe, Two-sided confidence intervals for the single proportion (1998), and their mirrors."""
    score = wilson(correct, count)
    assert score is not None
    assert score.accuracy == correct / count and score.count == count
    assert score.low == pytest.approx(low, abs=5e-5) and score.high == pytest.approx(high, abs=5e-5)


def test_a_share_lies_in_its_interval() -> None:
    """For every count: 0 <= low <= share <= high <= 1, mirrored for the opposite share, narrower with more samples."""
    for count in (1, 2, 3, 10, 1000):
        for correct in range(0, count + 1, max(1, count // 10)):
            score, mirror = wilson(correct, count), wilson(count - correct, count)
            assert score and mirror
            assert 0 <= score.low <= score.accuracy <= score.high <= 1
            assert math.isclose(score.low, 1 - mirror.high, abs_tol=1e-12)
    widths = [score.high - score.low for count in (10, 100, 1000, 10**6) if (score := wilson(count // 2, count))]
    assert widths == sorted(widths, reverse=True) and widths[-1] < 0.003


def test_nothing_counted_is_no_score() -> None:
    """No samples: no number, rather than a made-up one."""
    assert wilson(0, 0) is None


@pytest.mark.parametrize("correct, count", [(-1, 5), (6, 5)])
def test_an_impossible_share_is_a_mistake(correct: int, count: int) -> None:
    """More right answers than samples is a bug of the caller."""
    with pytest.raises(ValueError, match="correct"):
        wilson(correct, count)


def test_a_score_as_data() -> None:
    """What reports and `--json` hold."""
    assert Score(0.5, 0.25, 0.75, 4).as_data() == {"accuracy": 0.5, "low": 0.25, "high": 0.75, "count": 4}


def test_told_apart_counts_only_where_they_differ() -> None:
    """McNemar's test: what both answered alike says nothing about which is better; 1.96 standard errors are the line."""
    assert not told_apart(0, 0)
    assert not told_apart(10, 4)
    assert told_apart(15, 4) and told_apart(4, 15)

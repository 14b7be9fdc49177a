"""The one order of candidates that were published with an accuracy and candidates that were not."""

from __future__ import annotations

import numpy as np
import pytest

from transfer_core.advice.ranking import combined, order

EVIDENCE = [0.1, 0.3, 0.2, 0.6]
NEAR = [0.5, 0.9, 0.6, 0.7]


def standard(values: list[float]) -> np.ndarray:
    return (np.array(values) - np.mean(values)) / np.std(values)


def test_with_accuracies_for_all_it_is_the_sum_that_the_literature_has() -> None:
    """Neighbours only break ties then, also where they can't tell the candidates apart."""
    accuracy = [70.0, 80.0, 76.0, 58.0]
    expected = standard(EVIDENCE) + standard(accuracy)
    assert combined(EVIDENCE, NEAR, accuracy) == pytest.approx(expected)
    assert combined(EVIDENCE, [0.5] * 4, accuracy) == pytest.approx(expected)


def test_without_accuracies_the_features_decide_alone() -> None:
    """The starter, own and foreign weights have nothing published."""
    assert combined(EVIDENCE, NEAR, [None] * 4) == pytest.approx(standard(EVIDENCE) + standard(NEAR))


def test_a_single_accuracy_says_nothing() -> None:
    """It is neither higher nor lower than another one."""
    alone = combined(EVIDENCE, NEAR, [None, 12.0, None, None])
    assert alone == pytest.approx(combined(EVIDENCE, NEAR, [None] * 4))


def test_published_candidates_stand_as_a_group_where_their_features_put_them() -> None:
    """Poor networks do not come first for having been published: their accuracies only order them among themselves."""
    accuracy = [None, None, 40.0, 80.0]
    near = [0.9, 0.85, 0.3, 0.2]
    scores = combined([0.0] * 4, near, accuracy)
    assert scores[3] > scores[2]
    assert min(scores[:2]) > max(scores[2:])
    assert scores[:2] == pytest.approx(standard(near)[:2], rel=0.05)


def test_equal_candidates_are_a_tie_and_not_a_division_by_zero() -> None:
    """All the same in everything, or alone."""
    assert combined([0.2] * 3, [0.5] * 3, [70.0, None, None]) == pytest.approx([0, 0, 0])
    assert combined([0.2], [0.5], [70.0]) == pytest.approx([0])


def test_ties_go_to_the_neighbours_and_then_to_the_first() -> None:
    """Rounding in the last digits is not a difference."""
    assert order([1.0, 2.0, 2.0 + 1e-9, 2.0], [0.9, 0.5, 0.6, 0.6]) == [2, 3, 1, 0]

from __future__ import annotations

import numpy as np
import pytest

from transfer_core.metrics.confusion import confusion_matrix


def test_rows_are_true_and_columns_said() -> None:
    """Which way round it is, counted by hand."""
    labels, said = np.array([0, 0, 0, 1, 2, 2]), np.array([0, 1, 1, 1, 0, 2])
    assert confusion_matrix(labels, said, 4).tolist() == [[1, 2, 0, 0], [0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]]


def test_it_agrees_with_scikit_learn() -> None:
    """On random answers, the well-known implementation says the same."""
    metrics = pytest.importorskip("sklearn.metrics")
    generator = np.random.default_rng(0)
    labels, said = generator.integers(0, 5, (2, 200))
    assert np.array_equal(confusion_matrix(labels, said, 5), metrics.confusion_matrix(labels, said, labels=range(5)))


def test_no_answers() -> None:
    """Nothing answered: a matrix of zeros of the right shape."""
    assert confusion_matrix(np.empty(0, np.int64), np.empty(0, np.int64), 2).tolist() == [[0, 0], [0, 0]]

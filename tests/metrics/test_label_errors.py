"""Likely wrong labels: those that were changed are named first, with the right class; the unsure and the clean are left alone."""

from __future__ import annotations

import numpy as np
import pytest

from transfer_core.metrics.label_errors import label_errors, needed_margin


def answers(labels: np.ndarray, classes: int, sure: float) -> np.ndarray:
    """Probabilities of heads that give each sample's class `sure`, and share the rest out."""
    rows = np.full((len(labels), classes), (1 - sure) / (classes - 1))
    rows[np.arange(len(labels)), labels] = sure
    return rows


def test_changed_labels_come_first_with_the_class_they_had() -> None:
    true = np.arange(60) % 3
    probabilities = answers(true, 3, 0.9)
    probabilities[7] = answers(true[7:8], 3, 0.99)  # the surest
    given = true.copy()
    given[[7, 21, 40]] = (true[[7, 21, 40]] + 1) % 3
    suspects = label_errors(probabilities, given)
    assert suspects.samples.tolist()[0] == 7 and set(suspects.samples.tolist()) == {7, 21, 40}
    assert (suspects.suggested == true[suspects.samples]).all()
    assert suspects.margin[0] == pytest.approx(0.005 - 0.99)


def test_a_clean_set_and_one_that_the_heads_are_unsure_of_have_none() -> None:
    true = np.arange(60) % 3
    assert not len(label_errors(answers(true, 3, 0.9), true).samples)
    wrong = true.copy()
    wrong[0] = (true[0] + 1) % 3
    assert not len(label_errors(answers(true, 3, 0.55), wrong).samples)


def test_heads_that_are_mostly_wrong_correct_nobody() -> None:
    true = np.arange(60) % 3
    given = true.copy()
    given[:30] = (true[:30] + 1) % 3
    assert not len(label_errors(answers(true, 3, 0.9), given).samples)


def test_what_does_not_match_is_refused() -> None:
    with pytest.raises(ValueError, match="expected"):
        label_errors(np.ones((3, 2)), np.zeros(4, int))
    with pytest.raises(ValueError, match="finite"):
        label_errors(np.full((3, 2), np.nan), np.zeros(3, int))


def test_the_more_often_heads_are_wrong_the_surer_they_must_be() -> None:
    assert needed_margin(0.95) == needed_margin(0.8) == 0.4
    assert needed_margin(0.75) == pytest.approx(0.65)
    assert needed_margin(0.69) == np.inf

from __future__ import annotations

import numpy as np
import pytest

from transfer_core.metrics.calibration import HIGHEST, LOWEST, cross_entropy, fit_temperature, softmax


def drawn(count: int, temperature: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are right about their confidence at `temperature`: labels are drawn from softmax(logits / temperature)."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, 2 * temperature, (count, 4))
    chances = softmax(logits, temperature)
    return logits, np.array([generator.choice(4, p=row) for row in chances])


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5, 8.0])
def test_a_known_temperature_is_found(temperature: float) -> None:
    """With many samples, the T that the labels were drawn at comes out, above 1 and below."""
    assert fit_temperature(*drawn(8000, temperature)) == pytest.approx(temperature, rel=0.08)


def test_it_is_the_minimum() -> None:
    """No other T, looked up on a grid, gives a smaller penalised loss."""
    logits, labels = drawn(50, 3.0)
    found = fit_temperature(logits, labels)

    def loss(t: float) -> float:
        return cross_entropy(logits, labels, t) * len(labels) + np.log(t) ** 2 / 2

    assert loss(found) <= min(loss(t) for t in np.geomspace(LOWEST, HIGHEST, 400)) + 1e-6


def test_few_or_perfect_answers_stay_finite() -> None:
    """All right would mean T to 0, all wrong T to infinity: the prior keeps both within reason."""
    sure = np.eye(3) * 10
    right, wrong = np.arange(3), np.array([1, 2, 0])
    assert LOWEST < 0.3 < fit_temperature(sure, right) < 1
    assert 1 < fit_temperature(sure, wrong) < HIGHEST
    assert 0.3 < fit_temperature(sure[:1], right[:1]) < 1
    # With more of the same evidence, the prior weighs less.
    assert fit_temperature(np.tile(sure, (200, 1)), np.tile(wrong, 200)) > fit_temperature(sure, wrong)


def test_nothing_held_out_leaves_confidences_alone() -> None:
    """Without samples T is 1."""
    assert fit_temperature(np.empty((0, 5)), np.empty(0, np.int64)) == 1.0


def test_logits_without_information() -> None:
    """Constant logits can't be calibrated: the prior's T, 1, not an end of the range."""
    assert fit_temperature(np.zeros((40, 3)), np.arange(40) % 3) == pytest.approx(1.0, abs=1e-3)


def test_softmax_and_cross_entropy_of_large_numbers() -> None:
    """No overflow, rows sum to 1, and the loss is that of the definition."""
    logits = np.array([[1e4, 0.0, -1e4], [-1e4, -1e4, -1e4]], np.float32)
    chances = softmax(logits)
    assert np.isfinite(chances).all() and np.allclose(chances.sum(1), 1)
    assert chances[1].tolist() == pytest.approx([1 / 3] * 3)
    assert cross_entropy(logits, np.array([0, 2])) == pytest.approx(np.log(3) / 2)
    small = np.array([[0.3, -0.2], [1.0, 2.0]])
    by_hand = -np.log(softmax(small, 2.0)[[0, 1], [1, 0]]).mean()
    assert cross_entropy(small, np.array([1, 0]), 2.0) == pytest.approx(by_hand)


def test_scaling_all_logits_scales_the_temperature() -> None:
    """Confidence after calibration doesn't depend on the scale the head happened to have."""
    logits, labels = drawn(5000, 1.0)
    assert fit_temperature(logits * 4, labels) == pytest.approx(4 * fit_temperature(logits, labels), rel=0.02)

"""LogME against the authors' own numbers, and the cases their code does not meet; nearest neighbours against counting by hand."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from transfer_core.metrics.transferability import BLOCK, log_evidence, nearest_neighbours

Matrix = NDArray[np.float64]


def waves(count: int, width: int, classes: int) -> tuple[Matrix, NDArray[np.int64]]:
    """Features that tell the classes apart to some degree, the same on every computer."""
    rows, columns = np.arange(count)[:, None], np.arange(width)
    labels = np.arange(count) % classes
    own = 0.8 * np.cos(2.0 * labels[:, None] * (columns + 1) / classes)
    return np.sin(1.7 * rows * (columns + 1) + 0.3) + own, labels


TALL = np.array(
    [
        [0.9, 0.1, 0.3],
        [0.8, 0.2, 0.1],
        [1, 0, 0.2],
        [0.2, 0.9, 0.4],
        [0.1, 0.7, 0.2],
        [0.3, 1, 0.1],
        [0.2, 0.1, 0.9],
        [0, 0.3, 0.8],
    ]
)
WIDE = np.array([[1, 0.2, 0, 0.4, 0.3], [0.9, 0.1, 0.1, 0.5, 0.2], [0.1, 0.8, 0.6, 0, 0.1], [0.2, 0.9, 0.5, 0.1, 0]])


@pytest.mark.parametrize(
    ("features", "labels", "fixed_point", "first"),
    [
        (TALL, np.array([0, 0, 0, 1, 1, 1, 2, 2]), -0.22988879744077106, -0.22991757533228707),
        (*waves(12, 4, 2), -0.8292950812171938, -0.8293054824731199),
        (*waves(30, 8, 3), -0.6088034933523977, -0.6088156274276925),
        (*waves(50, 20, 5), -0.20864943355565826, -0.2086730078754213),
        (*waves(16, 16, 2), -0.5106451312567347, -0.5106784627896486),
        (WIDE, np.array([0, 0, 1, 1]), -0.022973552613295645, -0.02787407384846813),
        (*waves(20, 40, 4), -0.24536637005198894, -0.24561865373333097),
        (*waves(60, 61, 3), 0.5191277581341701, 0.5188524200716303),
    ],
    ids=["literal", "12x4", "30x8", "50x20", "16x16", "wide literal", "20x40", "60x61"],
)
def test_the_authors_values(features: Matrix, labels: NDArray[np.int64], fixed_point: float, first: float) -> None:
    """Computed with LogME.py of thuml/LogME at commit 3a08950: `_fit_fixed_point`, for rank below D with the padding of its pull
    request 24, and `_fit_icml`, which needs no padding but stops its iteration a little earlier."""
    found = log_evidence(features, labels)
    assert found == pytest.approx(fixed_point, rel=1e-9)
    assert found == pytest.approx(first, abs=5e-3)


def test_features_that_say_nothing_score_below_those_that_do() -> None:
    """All-zero and constant features are an answer, not a division by zero; constants are worth no more than nothing."""
    features, labels = waves(40, 6, 4)
    informed = log_evidence(features, labels)
    zero, constant = log_evidence(np.zeros((40, 6)), labels), log_evidence(np.full((40, 6), 3.0), labels)
    assert np.isfinite([zero, constant]).all()
    assert informed > constant and informed > zero


def test_a_class_without_samples_does_not_count() -> None:
    """The authors' code would count it as a perfect fit."""
    features, labels = waves(30, 8, 3)
    assert log_evidence(features, labels * 2) == pytest.approx(log_evidence(features, labels), rel=1e-12)


def test_one_class_alone_is_finite() -> None:
    """Nothing can be told apart, and nothing breaks."""
    features, _labels = waves(10, 4, 2)
    assert np.isfinite(log_evidence(features, np.zeros(10, np.int64)))


@pytest.mark.parametrize("shape", [(40, 6, 4), (20, 40, 4)])
def test_turning_the_features_changes_nothing(shape: tuple[int, int, int]) -> None:
    """Both scores look at directions between features, not at which feature is which."""
    features, labels = waves(*shape)
    turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(shape[1], shape[1])))
    assert log_evidence(features @ turn, labels) == pytest.approx(log_evidence(features, labels), rel=1e-8)
    assert nearest_neighbours(features @ turn, labels) == nearest_neighbours(features, labels)


def test_a_repeated_feature_keeps_the_value_in_either_shape() -> None:
    """Rank below both sides: directions that are rounding alone are left out. A copy only doubles the scale of what is there."""
    features, labels = waves(20, 12, 4)
    for count in (2, 4):
        repeated = np.tile(features, (1, count)) / np.sqrt(count)
        assert log_evidence(repeated, labels) == pytest.approx(log_evidence(features, labels), rel=1e-8)


def test_identical_rows_are_an_answer() -> None:
    """The same features for every picture: as good as a constant."""
    labels = np.arange(12) % 3
    rows = np.tile(waves(1, 5, 1)[0], (12, 1))
    assert np.isfinite(log_evidence(rows, labels))
    score = nearest_neighbours(rows, labels)
    assert score is not None and score.count == 12


@pytest.mark.parametrize("measure", [log_evidence, nearest_neighbours])
def test_what_is_not_finite_or_does_not_match_is_refused(measure) -> None:
    """A score from NaN would be sorted anywhere."""
    features, labels = waves(10, 4, 2)
    features[3, 2] = np.nan
    with pytest.raises(ValueError, match="finite"):
        measure(features, labels)
    with pytest.raises(ValueError, match="expected"):
        measure(waves(10, 4, 2)[0], labels[:-1])


def test_neighbours_are_counted_without_the_sample_itself() -> None:
    """Against the plainest way to write it, over more rows than one block."""
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 3, BLOCK + 40)
    features = generator.normal(size=(len(labels), 8)) + np.eye(8)[labels] * 2
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    right = 0
    for row in range(len(labels)):
        similar = unit @ unit[row]
        similar[row] = -9
        nearest = np.argsort(-similar)[:5]
        votes = [((labels[nearest] == label).sum(), similar[nearest][labels[nearest] == label].sum()) for label in range(3)]
        right += max(range(3), key=lambda label: votes[label]) == labels[row]
    score = nearest_neighbours(features, labels)
    assert score is not None
    assert (score.count, round(score.accuracy * score.count)) == (len(labels), right)
    assert score.low < score.accuracy < score.high


def test_fewer_samples_than_neighbours() -> None:
    """Three pictures have two others each; one has none, and nothing can be said."""
    features = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]])
    score = nearest_neighbours(features, np.array([0, 0, 1]))
    assert score is not None and score.count == 3
    assert nearest_neighbours(features[:1], np.array([0])) is None

"""Outliers: one that lies far from all is found, a small tight class and a wide one are not, and large sets are compared by a part."""

from __future__ import annotations

import numpy as np
import pytest

from transfer_core.metrics import outliers as module
from transfer_core.metrics.outliers import distance_to_others, outliers


def clouds(counts: tuple[int, ...], width: int = 32, spread: float = 0.2, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features around one direction a class."""
    generator = np.random.default_rng(seed)
    centres = np.eye(width)[: len(counts)]
    rows = [centre + spread * generator.normal(size=(count, width)) for centre, count in zip(centres, counts, strict=True)]
    return np.concatenate(rows), np.repeat(np.arange(len(counts)), counts)


def test_what_is_far_from_all_is_found() -> None:
    features, labels = clouds((40, 40, 12), spread=0.05)
    features[[5, 70]] = -1 * np.eye(32)[[20, 21]]
    assert sorted(outliers(distance_to_others(features), labels).tolist()) == [5, 70]


def test_even_clouds_have_none() -> None:
    for seed in range(5):
        features, labels = clouds((60, 30, 12), seed=seed)
        assert not len(outliers(distance_to_others(features), labels))


def test_a_class_that_is_wide_as_a_whole_is_none() -> None:
    features, labels = clouds((60, 60), spread=0.02)
    generator = np.random.default_rng(1)
    wide = np.eye(32)[3] + 0.3 * generator.normal(size=(20, 32))
    features, labels = np.concatenate([features, wide]), np.concatenate([labels, np.full(20, 2)])
    assert not len(outliers(distance_to_others(features), labels))


def test_the_distance_is_the_mean_to_the_nearest() -> None:
    features = np.array([[1.0, 0], [1, 0], [0, 1], [0, -1]])
    assert distance_to_others(features, near=1) == pytest.approx([0, 0, 1, 1])
    assert distance_to_others(features, near=2) == pytest.approx([0.5, 0.5, 1, 1])


def test_large_sets_are_compared_with_some(monkeypatch: pytest.MonkeyPatch) -> None:
    features, labels = clouds((200, 200), spread=0.05)
    features[17] = -np.eye(32)[20]
    monkeypatch.setattr(module, "REFERENCES", 50)
    assert outliers(distance_to_others(features), labels).tolist() == [17]


def test_bad_features_are_refused() -> None:
    with pytest.raises(ValueError, match="two rows"):
        distance_to_others(np.ones((1, 3)))
    with pytest.raises(ValueError, match="finite"):
        distance_to_others(np.full((3, 3), np.inf))

from __future__ import annotations

import numpy as np

from transfer_core.metrics import novelty


def clusters(count: int, seed: int = 0, width: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """Features around three directions, as a backbone gives for three classes."""
    generator = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(0, 1, (3, width))
    labels = generator.integers(0, 3, count)
    return (centres[labels] + generator.normal(0, 0.15, (count, width))).astype(np.float32) * 7, labels


def asked(features: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """The score as it is defined: one minus the mean cosine with the nearest references."""
    near = novelty.neighbours(len(reference))
    return 1 - np.sort(novelty.unit(features) @ reference.T, axis=1)[:, -near:].mean(1)


def test_far_is_refused_and_near_is_not() -> None:
    """Other pictures of the same kinds pass but for a few in a hundred; other directions are refused."""
    learnt, labels = clusters(400)
    reference = novelty.references(learnt, labels)
    limit = novelty.threshold(reference)
    near, _ = clusters(1000, seed=1)
    far = np.random.default_rng(2).normal(0, 1, (500, 16)).astype(np.float32)
    assert (asked(near, reference) > limit).mean() < 0.04
    assert (asked(far, reference) > limit).mean() > 0.95
    assert (asked(near * 100, reference) > limit).mean() < 0.04  # a matter of direction, not of brightness


def test_about_one_in_a_hundred_of_the_learnt_would_be_refused() -> None:
    """The threshold is what it says it is."""
    learnt, labels = clusters(1000)
    reference = novelty.references(learnt, labels)
    limit = novelty.threshold(reference)
    others = [asked(reference[[n]], np.delete(reference, n, 0))[0] for n in range(len(reference))]
    assert abs((np.array(others) > limit).mean() - novelty.REFUSED) < 0.005


def test_references_are_few_even_and_of_length_one() -> None:
    """A model file stays small, and every class has its share of what it is compared with."""
    generator = np.random.default_rng(0)
    features, labels = generator.normal(0, 3, (5000, 8)).astype(np.float32), np.repeat([0, 1], [4000, 1000])
    generator.shuffle(labels)
    kept = novelty.references(features, labels, most=100)
    assert kept.shape == (100, 8) and kept.dtype == np.float32
    assert np.allclose(np.linalg.norm(kept, axis=1), 1, atol=1e-6)
    where = [int(np.abs(novelty.unit(features) - row).sum(1).argmin()) for row in kept]
    assert 15 <= (labels[where] == 1).sum() <= 25
    assert len(novelty.references(features[:7], labels[:7], most=100)) == 7


def test_very_few_pictures() -> None:
    """One reference refuses nothing; two and three are compared with each other; a row of zeros is no crash."""
    one = novelty.unit(np.ones((1, 4), np.float32))
    assert novelty.threshold(one) == 2.0
    assert [novelty.neighbours(count) for count in (1, 2, 3, 4, 1000)] == [1, 1, 2, 3, 3]
    rows = novelty.unit(np.array([[1, 0], [1, 1], [0, 0]], np.float32))
    assert np.isfinite(rows).all() and rows[2].tolist() == [0, 0]
    for count in (2, 3):
        assert 0 <= novelty.threshold(rows[:count]) <= 2


def test_copies_do_not_make_everything_novel() -> None:
    """Ten times the same picture: the threshold is about zero, and that very picture still passes its neighbours' score."""
    reference = novelty.unit(np.tile(np.arange(1, 9, dtype=np.float32), (10, 1)))
    limit = novelty.threshold(reference)
    assert abs(limit) < 1e-5
    assert asked(reference[:1], reference)[0] <= limit + 1e-6

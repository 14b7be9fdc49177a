"""Samples that are far from all others: the distance to their nearest neighbours, beyond what is usual."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from transfer_core.metrics.novelty import unit

NEIGHBOURS = 5
REFERENCES = 10_000  # samples that each is compared with: more than that is a sample of them
BLOCK = 256  # rows compared at once: 10 MB of similarities
CUT = 3.5  # standard deviations above the median
FEWEST = 10  # samples of a class from which on it has a spread of its own
# Nine in ten of a normal distribution lie below this many standard deviations above its middle.
_NINE_IN_TEN = 1.2816


class Rows(Protocol):
    """Features `[N, D]` that are read a part at a time: an array, or rows on disk."""

    def __len__(self) -> int: ...

    def __getitem__(self, places: Any, /) -> NDArray[Any]: ...


def distance_to_others(features: Rows, near: int = NEIGHBOURS, seed: int = 0) -> NDArray[np.float64]:
    """For each of `features [N, D]` its mean cosine distance `[N]` (0 to 2) to the `near` most similar others.

    Ramaswamy, Rastogi and Shim, Efficient algorithms for mining outliers (2000), with the mean in place of the farthest. Past `REFERENCES`
    samples the others are that many of them, drawn by `seed`. Raises ValueError for fewer than two samples or features that are not finite.
    """
    count = len(features)
    if count < 2:
        raise ValueError("expected at least two rows of features")
    everything = np.arange(count)
    among = everything
    if count > REFERENCES:
        among = np.sort(np.random.default_rng(seed).choice(count, REFERENCES, replace=False))
    others = _unit_rows(features, among)
    place = np.full(count, -1)
    place[among] = np.arange(len(among))
    near = min(near, len(among) - 1)
    distances = np.empty(count)
    for start in range(0, count, BLOCK):
        block = everything[start : start + BLOCK]
        similar = _unit_rows(features, block) @ others.T
        itself = place[block] >= 0
        similar[itself, place[block][itself]] = -np.inf
        nearest = np.partition(similar, len(among) - near, axis=1)[:, len(among) - near :]
        distances[block] = 1 - nearest.mean(1)
    return distances


def _unit_rows(features: Rows, places: NDArray[np.int64]) -> NDArray[np.float32]:
    rows = np.asarray(features[places], np.float32)
    if not np.isfinite(rows).all():
        raise ValueError("features must be finite")
    return unit(rows)


def outliers(distances: NDArray[np.floating], labels: NDArray[np.integer], cut: float = CUT) -> NDArray[np.int64]:
    """Positions of the samples that are farther than usual, of all and of their own class; the farthest first.

    Usual is the median plus `cut` standard deviations, and these are told from the distance between median and ninth decile: distances
    lean to the far side, and a spread that is taken from both sides would call that side strange. A class with fewer than `FEWEST`
    samples has no measure of its own.
    """
    values = np.asarray(distances, np.float64)
    beyond = _excess(values) > cut
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        if len(own) >= FEWEST:
            beyond[own] &= _excess(values[own]) > cut
    found = np.flatnonzero(beyond)
    return found[np.argsort(-values[found], kind="stable")]


def _excess(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """How many standard deviations above the median each value lies."""
    middle, high = np.quantile(values, (0.5, 0.9))
    return (values - middle) / max(float(high - middle) / _NINE_IN_TEN, 1e-6)

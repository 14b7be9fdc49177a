"""How unlike everything learnt a picture is: what "none of these" is decided by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NEIGHBOURS = 3
REFERENCES = 1000
# The share of pictures like those learnt that may be refused.
REFUSED = 0.01

Features = NDArray[np.float32]


def references(features: Features, labels: NDArray[np.integer], most: int = REFERENCES) -> Features:
    """At most `most` unit-length rows of `features [n, width]`, taken evenly over the classes."""
    order = np.argsort(labels, kind="stable")
    kept = order[np.unique(np.linspace(0, len(order) - 1, min(most, len(order))).astype(int))]
    return unit(features[kept])


def unit(features: Features) -> Features:
    """Rows at length 1; a row of zeros stays."""
    length = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(features / np.maximum(length, 1e-12), np.float32)


def neighbours(count: int) -> int:
    """How many nearest references the score averages over, out of `count`."""
    return max(1, min(NEIGHBOURS, count - 1))


def threshold(reference: Features) -> float:
    """The novelty above which a picture is refused: passed by 99 in 100 references, each compared with the others.

    Novelty is one minus the mean cosine with the nearest references; Sun et al., Out-of-distribution detection with deep nearest
    neighbors (2022). A single reference can't be compared: then nothing is refused.
    """
    count = len(reference)
    if count < 2:
        return 2.0
    near = neighbours(count)
    similar = reference @ reference.T
    np.fill_diagonal(similar, -np.inf)
    nearest = np.partition(similar, count - near, axis=1)[:, count - near :]
    return float(np.quantile(1 - nearest.mean(1), 1 - REFUSED))

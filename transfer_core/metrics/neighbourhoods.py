"""Who is nearest to whom, and how much of that a picture of the points in fewer dimensions keeps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BLOCK = 512  # rows compared with all others at once: 20 MB of distances for 10,000 points


def nearest(points: NDArray[np.float32], among: NDArray[np.float32] | None = None, near: int = 10) -> NDArray[np.int64]:
    """The rows `[N, near]` of `among [M, D]` that lie nearest to each of `points [N, D]`, in no order; Euclidean.

    Without `among`, of the points themselves, none being its own neighbour. `near` is at most what there is.
    Time: a product of the two matrices; memory: `BLOCK` rows of distances.
    """
    others = points if among is None else among
    near = min(near, len(others) - (among is None))
    lengths = (others.astype(np.float32) ** 2).sum(1)
    found = np.empty((len(points), near), np.int64)
    for start in range(0, len(points), BLOCK):
        block = points[start : start + BLOCK]
        # Without the rows' own lengths, which change no order.
        distance = lengths - 2 * (block @ others.T)
        if among is None:
            distance[np.arange(len(block)), np.arange(start, start + len(block))] = np.inf
        found[start : start + BLOCK] = np.argpartition(distance, near - 1, axis=1)[:, :near]
    return found


def neighbours_kept(points: NDArray[np.float32], drawn: NDArray[np.float32], near: int = 10) -> float:
    """The share, 0 to 1, of the `near` nearest of `points [N, D]` that are also among the nearest of `drawn [N, d]`.

    Lee and Verleysen, Quality assessment of dimensionality reduction (2009): their Q_NX. Raises ValueError for fewer than two points.
    """
    if len(points) != len(drawn) or len(points) < 2:
        raise ValueError(f"expected two or more points twice, got {points.shape} and {drawn.shape}")
    before, after = nearest(points, near=near), nearest(drawn, near=near)
    same = (before[:, :, None] == after[:, None, :]).any(2)
    return float(same.mean())

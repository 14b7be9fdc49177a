"""Points laid out in a plane so that neighbours stay neighbours: t-SNE, whose repulsion is summed on a grid.

Van der Maaten and Hinton, Visualizing data using t-SNE (2008), with three later findings: the affinities are those of a plain graph of
nearest neighbours, which draws the same as a tuned perplexity (Böhm, Berens, Kobak, Attraction-repulsion spectrum in neighbor embeddings,
2022); it starts from principal components, so that the large arrangement means something and nothing is left to chance (Kobak and Berens,
The art of using t-SNE, 2019); and repulsion is interpolated on a grid and summed by a Fourier transform (Linderman et al., FIt-SNE,
2019).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from transfer_core.metrics.neighbourhoods import nearest

Plane = NDArray[np.float32]

NEIGHBOURS = 15
STEPS = 500
EXAGGERATED = 150  # steps in which attraction counts for more, so that groups find together
EXAGGERATION = 12.0
EXACT = 1500  # points up to which all pairs are summed: quicker than the grid
BLOCK = 64
BORDER = 4  # nodes of the grid that no point falls on
FINEST = 1 / 3  # between two nodes: the kernel changes over lengths of 1
MOST_NODES = 384  # in each direction


def lay_out(
    points: NDArray[np.float32],
    steps: int = STEPS,
    progress: Callable[[int, int], None] | None = None,
    checkpoint: Callable[[], None] | None = None,
) -> Plane:
    """Positions float32 `[N, 2]` of `points [N, D]`, whose first two columns are where they start (principal components).

    Centred; the same points give the same positions. `progress(done, total)` counts steps, `checkpoint()` may raise to stop.
    Time: 1.5 s for 1,000 points on one core, 7 s for 5,000; memory: a few times `[N, NEIGHBOURS]`.
    """
    count = len(points)
    if count < 3:
        return np.zeros((count, 2), np.float32) + np.arange(count, dtype=np.float32)[:, None]
    near = nearest(points, near=NEIGHBOURS)
    places = _start(points)
    move, gains = np.zeros_like(places), np.ones_like(places)
    rate = max(50.0, count / EXAGGERATION)
    for step in range(steps):
        if checkpoint:
            checkpoint()
        early = step < EXAGGERATED * steps // STEPS
        slope = 4 * ((EXAGGERATION if early else 1.0) * _attraction(places, near) - repulsion(places))
        # Each coordinate has a pace of its own, quicker while it keeps its direction (Jacobs 1988).
        gains = np.where(np.sign(slope) != np.sign(move), gains + 0.2, gains * 0.8).clip(0.01).astype(np.float32)
        move = (0.5 if early else 0.8) * move - rate * gains * slope
        places = places + move
        places -= places.mean(0)
        if progress:
            progress(step + 1, steps)
    return places


def _start(points: NDArray[np.float32]) -> Plane:
    places = np.zeros((len(points), 2), np.float32)
    places[:, : min(2, points.shape[1])] = points[:, :2]
    # Points that coincide would stay together for ever: no force has a direction between them.
    places += 1e-3 * max(float(places.std()), 1e-6) * np.random.default_rng(0).standard_normal(places.shape, np.float32)
    return places * np.float32(1e-4 / max(float(places[:, 0].std()), 1e-12))


def _attraction(places: Plane, near: NDArray[np.int64]) -> Plane:
    """The pull of neighbours on each other, `[N, 2]`: every picture pulls at its nearest and is pulled by them."""
    count, width = near.shape
    apart = places[:, None] - places[near]
    pull = apart / (1 + (apart**2).sum(2, keepdims=True))
    force = pull.sum(1)
    for axis in range(2):
        force[:, axis] -= np.bincount(near.ravel(), pull[:, :, axis].ravel(), count).astype(np.float32)
    return np.asarray(force / (2 * width * count), np.float32)


def repulsion(places: Plane) -> Plane:
    """The push of all points on each, `[N, 2]`: of the kernel (1 + d²)⁻², over the sum of (1 + d²)⁻¹ of all pairs."""
    return all_pairs(places) if len(places) <= EXACT else on_grid(places)


def all_pairs(places: Plane) -> Plane:
    """`repulsion` summed pair by pair."""
    x, y = np.ascontiguousarray(places.T)
    force, total = np.empty_like(places), 0.0
    for start in range(0, len(places), BLOCK):
        # No matrix product: those of other threads at work would hold these up, and a block this small stays in the processor's cache.
        apart_x, apart_y = x[start : start + BLOCK, None] - x, y[start : start + BLOCK, None] - y
        near = np.square(apart_x)
        near += np.square(apart_y)
        near += 1
        np.divide(1, near, out=near)
        total += float(near.sum())
        np.square(near, out=near)
        force[start : start + BLOCK, 0] = np.einsum("ij,ij->i", near, apart_x)
        force[start : start + BLOCK, 1] = np.einsum("ij,ij->i", near, apart_y)
    return force / np.float32(max(total - len(places), 1e-12))


def on_grid(places: Plane) -> Plane:
    """`repulsion` by interpolation: points are spread over the nodes around them, and nodes are summed by a Fourier transform."""
    low = places.min(0)
    span = float((places - low).max())
    # On a ladder, like the size: the kernels of each are kept.
    spacing = FINEST * 1.2 ** max(0, math.ceil(math.log(max(span, 1e-6) / FINEST / (MOST_NODES - BORDER), 1.2)))
    size = _fitting(int(span / spacing) + BORDER)
    nodes, weights = _spread((places - low) / np.float32(spacing) + 1, size)
    charges = np.stack([np.ones(len(places), np.float32), places[:, 0], places[:, 1]])
    grid = np.stack([np.bincount(nodes.ravel(), (weights * charge[:, None]).ravel(), size * size) for charge in charges])
    kernels = _kernels(size, spacing)
    double = (2 * size, 2 * size)
    waves = np.fft.rfft2(grid.astype(np.float32).reshape(3, size, size), double)
    summed = np.fft.irfft2(np.concatenate([waves[:1] * kernels[0], waves * kernels[1]]), double)[:, :size, :size]
    at = (summed.reshape(4, -1)[:, nodes] * weights).sum(2)
    total = at[0].sum(dtype=np.float64) - len(places)
    return np.asarray((places * at[1][:, None] - at[2:].T) / max(total, 1e-12), np.float32)


def _spread(where: Plane, size: int) -> tuple[NDArray[np.int64], Plane]:
    """The nine nodes around each point, as places in the grid `[N, 9]`, and their weights: Lagrange's polynomials."""
    middle = np.rint(where).astype(np.int64).clip(1, size - 2)
    off = (where - middle).astype(np.float32)
    # Of the nodes at -1, 0 and 1, for each axis: [N, 2, 3].
    each = np.stack([off * (off - 1) / 2, 1 - off**2, off * (off + 1) / 2], 2)
    steps = np.arange(-1, 2)
    rows, columns = middle[:, 0, None] + steps, middle[:, 1, None] + steps
    nodes = (rows[:, :, None] * size + columns[:, None, :]).reshape(-1, 9)
    return nodes, (each[:, 0, :, None] * each[:, 1, None, :]).reshape(-1, 9)


def _fitting(size: int) -> int:
    """The next size on a ladder: steps that a Fourier transform likes, few enough to keep the kernels of each."""
    return next(n for n in (32, 48, 64, 80, 96, 128, 160, 192, 256, 320, MOST_NODES) if n >= min(size, MOST_NODES))


@lru_cache(4)
def _kernels(size: int, spacing: float) -> NDArray[np.complex64]:
    """The transforms of (1 + d²)⁻¹ and its square on a grid that wraps around, `[2, 2 size, size + 1]`."""
    steps = np.minimum(np.arange(2 * size), 2 * size - np.arange(2 * size)).astype(np.float32) * np.float32(spacing)
    near = 1 / (1 + steps[:, None] ** 2 + steps[None, :] ** 2)
    return np.asarray(np.fft.rfft2(np.stack([near, near**2])))

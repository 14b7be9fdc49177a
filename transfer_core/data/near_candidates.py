"""Which pictures of a large set might show the same: coarse descriptions of the whole of each, and of parts, compared in blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
from numpy.typing import NDArray

from transfer_core.images.fingerprint import COLOUR_SIDE, SIDE, brightness_of, colour_of

Vectors = NDArray[np.float32]
Indices = NDArray[np.int64]

# How many cosines along a side; the shortest has three waves, which a shift by 5 % of the side leaves in step.
WAVES = 7
COLOUR_WAVES = 3
# So little that a copy without colour is still found, so much that of two equal shapes in other colours fewer are looked at.
COLOUR_WEIGHT = 0.5
# Parts of a side that a copy may show; where a copy shows another, the nearest of these is at most 5 % of the side off.
PARTS = ((0.0, 1.0), (0.0, 0.9), (0.05, 0.95), (0.1, 1.0))
# Which part down, and which along, make a view: all, the middle, and the four corners.
VIEWS = ((0, 0), (2, 2), (1, 1), (1, 3), (3, 1), (3, 3))
# The least similarity of a view to a whole that is worth a closer look, and how many of them a picture gets.
WORTH = 0.75
MOST = 8

QUERIES, REFERENCES = 512, 4096  # compared at once: 8 MB of similarities, which stay in the processor's cache
CHUNK = 512  # described at once


def candidates(
    fingerprints: NDArray[np.uint8],
    new: Indices | None,
    threads: int,
    progress: Callable[[int, int], None] | None = None,
    checkpoint: Callable[[], None] | None = None,
) -> Indices:
    """Pairs `[M, 2]` of indices, the smaller first and each once, of `fingerprints [N, LENGTH]` that may be of one picture.

    A view of one is at least `WORTH` similar to the whole of the other, and among the `MOST` most similar for that one. `new` are the
    indices that are compared with all; None is everybody with everybody. `progress(done, total)` counts pictures, `checkpoint()` may
    raise to stop.
    Memory: the descriptions of wholes, 0.26 KB a picture, and `threads` blocks. Time: of N x N x 6 scalar products of 65 numbers.
    """
    everybody = np.arange(len(fingerprints))
    wholes = np.concatenate(
        [described(fingerprints[start : start + CHUNK], VIEWS[:1])[0] for start in range(0, len(fingerprints), CHUNK)]
        or [np.empty((0, WAVES**2 - 1 + 2 * COLOUR_WAVES**2), np.float32)]
    )
    if new is None:
        work = [(block, everybody) for block in _blocks(everybody)]
    else:
        new = np.unique(new)
        old = np.setdiff1d(everybody, new)
        work = [*((block, everybody) for block in _blocks(new)), *((block, new) for block in _blocks(old))]
    total, done = sum(len(block) for block, _others in work), 0
    # Each pair as one number: a list of millions is sorted in place, and in half the room.
    found = [np.empty(0, np.int64)]
    pool = ThreadPoolExecutor(threads)
    try:
        results = pool.map(lambda each: _most_similar(fingerprints, wholes, *each), work)
        for (block, _others), pairs in zip(work, results, strict=True):
            if checkpoint:
                checkpoint()
            found.append(pairs.min(axis=1) * len(everybody) + pairs.max(axis=1))
            done += len(block)
            if progress:
                progress(done, total)
    finally:
        pool.shutdown(cancel_futures=True)
    keys = np.concatenate(found)
    found.clear()
    keys.sort()
    keys = keys[np.diff(keys, prepend=-1) != 0]
    return np.stack(np.divmod(keys, max(1, len(everybody))), axis=1)


def described(fingerprints: NDArray[np.uint8], views: tuple[tuple[int, int], ...] = VIEWS) -> Vectors:
    """Vectors of about unit length of `fingerprints [N, LENGTH]` seen through each of `views`: float32 `[views, N, D]`.

    They are the longest cosines of brightness and colour, as in JPEG's transform of a block, but the block is the view. The mean
    brightness is left out, and the length evened out, because a lighter copy has another. A picture of one colour has the vector 0.
    """
    brightness, colour = brightness_of(fingerprints), colour_of(fingerprints)
    count = len(brightness)
    cosines, colour_cosines = _cosines(SIDE, WAVES), _cosines(COLOUR_SIDE, COLOUR_WAVES)
    # The parts along as one product for all pictures, then for each view the part down.
    parts = sorted({across for _down, across in views})
    along, colour_along = _along(brightness, cosines[parts]), _along(colour, colour_cosines[parts])
    weights, colour_weights = _weights(WAVES), COLOUR_WEIGHT * _weights(COLOUR_WAVES)
    colour_weights[0, 0] = COLOUR_WEIGHT * 0.7
    result = []
    for down, across in views:
        place = parts.index(across)
        waves = cosines[down] @ along[..., place, :] * weights
        tints = colour_cosines[down] @ colour_along[..., place, :] * colour_weights
        both = np.concatenate([waves.reshape(count, -1)[:, 1:], tints.reshape(count, -1)], axis=1)
        # One grey level more: what is next to nothing is not blown up to something.
        both /= np.sqrt((both * both).sum(axis=1, keepdims=True) + 1)
        result.append(both)
    return np.stack(result)


def _along(pictures: Vectors, cosines: Vectors) -> Vectors:
    """`pictures [..., S, S]` and `cosines [P, W, S]` to `[..., S, P, W]`."""
    side = pictures.shape[-1]
    return (pictures.reshape(-1, side) @ cosines.reshape(-1, side).T).reshape(*pictures.shape[:-1], *cosines.shape[:2])


@cache
def _cosines(side: int, count: int) -> Vectors:
    """Cosines over each of `PARTS`, averaged within the pixels of a side: `[len(PARTS), count, side]`."""
    fine = 32
    places = (np.arange(side * fine) + 0.5) / (side * fine)
    found = []
    for start, end in PARTS:
        within = (places >= start) & (places < end)
        waves = np.cos(np.pi * np.arange(count)[:, None] * (places - start) / (end - start)) * within / within.sum()
        found.append(waves.reshape(count, side, fine).sum(axis=2))
    return np.array(found, np.float32)


def _weights(count: int) -> Vectors:
    """How much each product of two cosines counts: pictures hold less of the short ones, and a shift brings those out of step."""
    squared = np.arange(count)[:, None] ** 2 + np.arange(count)[None] ** 2
    return (np.sqrt(squared) * np.exp(-squared / 50)).astype(np.float32)


def _blocks(indices: Indices) -> Iterator[Indices]:
    for start in range(0, len(indices), QUERIES):
        yield indices[start : start + QUERIES]


def _most_similar(fingerprints: NDArray[np.uint8], wholes: Vectors, queries: Indices, references: Indices) -> Indices:
    """For each of `queries` the `MOST` of `references` whose wholes are most similar to any of its views: pairs `[M, 2]`."""
    views = described(fingerprints[queries])
    least = np.full(len(queries), WORTH, np.float32)
    kept = _Hits.none()
    every = len(references) == len(wholes)
    room = np.empty(2 * len(queries) * REFERENCES, np.float32)
    for start in range(0, len(references), REFERENCES):
        others = references[start : start + REFERENCES]
        block = (wholes[start : start + REFERENCES] if every else wholes[others]).T
        best, one = room[: 2 * len(queries) * len(others)].reshape(2, len(queries), len(others))
        np.matmul(views[0], block, out=best)
        for view in views[1:]:
            np.matmul(view, block, out=one)
            np.maximum(best, one, out=best)
        rows, columns = np.nonzero(best >= least[:, None])
        itself = queries[rows] == others[columns]
        rows, columns = rows[~itself], columns[~itself]
        kept = kept.joined(rows, others[columns], best[rows, columns])
        if len(kept.rows) > 2 * MOST * len(queries):
            kept = kept.most(MOST)
            least = kept.raised(least)
    kept = kept.most(MOST)
    return np.stack([queries[kept.rows], kept.others], axis=1)


class _Hits:
    """Similar pictures by the row of the query."""

    def __init__(self, rows: Indices, others: Indices, similarities: Vectors):
        self.rows, self.others, self.similarities = rows, others, similarities

    @staticmethod
    def none() -> _Hits:
        return _Hits(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))

    def joined(self, rows: Indices, others: Indices, similarities: Vectors) -> _Hits:
        return _Hits(
            np.concatenate([self.rows, rows]),
            np.concatenate([self.others, others]),
            np.concatenate([self.similarities, similarities]),
        )

    def most(self, count: int) -> _Hits:
        """The `count` most similar of each row; of equals, those of the lowest index."""
        order = np.lexsort((self.others, -self.similarities, self.rows))
        rows = self.rows[order]
        place = np.arange(len(rows)) - np.searchsorted(rows, rows)
        order = order[place < count]
        return _Hits(self.rows[order], self.others[order], self.similarities[order])

    def raised(self, least: Vectors) -> Vectors:
        """`least` of each row, or the next above the least of its hits where there are `MOST`: what is equal comes too late."""
        counts = np.bincount(self.rows, minlength=len(least))
        lowest = np.full(len(least), np.inf, np.float32)
        np.minimum.at(lowest, self.rows, self.similarities)
        return np.where(counts >= MOST, np.nextafter(lowest, np.float32(np.inf)), least)

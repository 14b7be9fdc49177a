"""Near-duplicates: pictures that are copies of each other, though saved again, resized, cut, turned a little, or made lighter or darker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from transfer_core.data.near_candidates import PARTS, VIEWS, Indices, candidates, described
from transfer_core.images.agreement import agreement
from transfer_core.images.alignment import Stack, aligned, halved, warped
from transfer_core.images.fingerprint import SIDE, brightness_of
from transfer_core.processes import usable_cores

# From which agreement two pictures are copies: of all places together, and of every single one inside. Of planted copies 1 % agree
# less; of 1,500 hands before a wall that make the same few signs, none agrees as much.
COPY = 0.87
EVERYWHERE = 0.5
# Pairs that agree less than this at half the resolution are not looked at any closer.
CLOSER = 0.7

BATCH = 128
STEPS = 3  # of the alignment, at each resolution

# Where each view lies in the whole, as maps for `warped`.
_MAPS = np.array(
    [
        [
            [PARTS[along][1] - PARTS[along][0], 0, sum(PARTS[along]) - 1],
            [0, PARTS[down][1] - PARTS[down][0], sum(PARTS[down]) - 1],
        ]
        for down, along in VIEWS
    ],
    np.float32,
)


class Pairs(NamedTuple):
    """Two pictures each: `indices [M, 2]`, the smaller first, and their `similarity [M]`, 0 to 1."""

    indices: Indices
    similarity: NDArray[np.float32]


class Likeness(NamedTuple):
    """Of pairs `[M]`: agreement at half the resolution; where that is at least `CLOSER`, overall and of the weakest place, else -1."""

    coarse: NDArray[np.float32]
    overall: NDArray[np.float32]
    weakest: NDArray[np.float32]


_NOTHING = Likeness(*(np.empty(0, np.float32),) * 3)


def find_pairs(
    fingerprints: NDArray[np.uint8],
    new: Indices | None = None,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    checkpoint: Callable[[], None] | None = None,
) -> Pairs:
    """The pairs of copies among `fingerprints [N, LENGTH]`, which may be a memory map; sorted by their indices.

    With `new` (indices) only pairs with a new picture in them, at the cost of those. `threads` as many as there are cores by default.
    `progress(done, total)` counts pictures, `checkpoint()` is called between blocks and may raise to stop.
    Memory: 0.26 KB a picture and 100 MB. Time for 100,000 pictures on 2 cores: about 2 minutes, more where many look alike.
    """
    threads = threads or usable_cores()
    found = [_NOTHING]
    pool = ThreadPoolExecutor(threads)
    # The pool is what uses the cores: products that share them out once more would wait for each other, twice as long in all.
    with threadpool_limits(1, "blas"):
        pairs = candidates(fingerprints, new, threads, progress, checkpoint)
        try:
            for result in pool.map(lambda batch: likeness(fingerprints, batch), list(_batches(pairs))):
                if checkpoint:
                    checkpoint()
                found.append(result)
        finally:
            pool.shutdown(cancel_futures=True)
    all_of_it = Likeness(*(np.concatenate(values) for values in zip(*found, strict=True)))
    same = (all_of_it.overall >= COPY) & (all_of_it.weakest >= EVERYWHERE)
    return Pairs(pairs[same], all_of_it.overall[same].clip(0, 1))


def likeness(fingerprints: NDArray[np.uint8], pairs: Indices) -> Likeness:
    """How much the two pictures of each of `pairs [M, 2]` look alike once one is laid over the other as well as can be."""
    results = [_likeness(fingerprints[batch[:, 0]], fingerprints[batch[:, 1]]) for batch in _batches(pairs)] or [_NOTHING]
    return Likeness(*(np.concatenate(values) for values in zip(*results, strict=True)))


def _batches(pairs: Indices) -> Iterator[Indices]:
    for start in range(0, len(pairs), BATCH):
        yield pairs[start : start + BATCH]


def _likeness(ones: NDArray[np.uint8], others: NDArray[np.uint8]) -> Likeness:
    pictures, wanted, maps = _first_guess(ones, others)
    half_pictures, half_wanted = halved(pictures), halved(wanted)
    maps = aligned(halved(half_wanted), halved(half_pictures), maps, STEPS)
    maps = aligned(half_wanted, half_pictures, maps, STEPS)
    coarse = _coarse(half_wanted, *warped(half_pictures, maps))
    overall, weakest = (np.full(len(coarse), -1, np.float32) for _ in range(2))
    near = np.flatnonzero(coarse >= CLOSER)
    if len(near):
        pictures, wanted = pictures[near], wanted[near]
        overall[near], weakest[near] = agreement(wanted, *warped(pictures, aligned(wanted, pictures, maps[near], STEPS)))
    return Likeness(coarse, overall, weakest)


def _first_guess(ones: NDArray[np.uint8], others: NDArray[np.uint8]) -> tuple[Stack, Stack, Stack]:
    """Which of the two is looked at, which is looked for in it, and through which view: `[B, S, S]` twice and maps `[B, 2, 3]`."""
    views, other_views = described(ones), described(others)
    in_ones = np.einsum("vbd,bd->bv", views, other_views[0])
    in_others = np.einsum("vbd,bd->bv", other_views, views[0])
    swap = in_others.max(axis=1) > in_ones.max(axis=1)
    view = np.where(swap[:, None], in_others, in_ones).argmax(axis=1)
    pictures = brightness_of(np.where(swap[:, None], others, ones))
    wanted = brightness_of(np.where(swap[:, None], ones, others))
    return pictures, wanted, _MAPS[view]


def _coarse(wanted: Stack, seen: Stack, inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The correlation `[B]` of all deviations from the mean of tiles of 4 x 4 pixels."""
    size, count = 4, len(wanted)
    tiles = SIDE // 2 // size

    def deviations(values: Stack) -> Stack:
        split = values.reshape(count, tiles, size, tiles, size)
        return split - split.mean(axis=(2, 4), keepdims=True)

    whole = inside.reshape(count, tiles, size, tiles, size).all(axis=(2, 4), keepdims=True)
    one, other = (deviations(values) * whole for values in (wanted, seen))
    product, first, second = ((left * right).sum(axis=(1, 2, 3, 4)) for left, right in ((one, other), (one, one), (other, other)))
    return np.asarray(product / np.sqrt(first * second + 1), np.float32)

"""How much two pictures look alike once one is laid over the other as well as can be, for many pairs at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from transfer_core.data.near_candidates import PARTS, VIEWS, Indices, described
from transfer_core.data.near_decision import are_copies
from transfer_core.images.alignment import Stack, aligned, halved, warped
from transfer_core.images.fingerprint import SIDE, brightness_of

BATCH = 32  # pairs at once: what is computed of them stays in the processor's cache
PART = 512  # pairs that a thread is given at a time
STEPS = 3  # of the alignment, at each resolution
# Pairs that agree less than this at half the resolution are not looked at any closer.
CLOSER = 0.7

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


class Likeness(NamedTuple):
    """Of pairs `[M]`: agreement at half the resolution, in fine detail where that is at least `CLOSER` (else -1); whether copies."""

    coarse: NDArray[np.float32]
    fine: NDArray[np.float32]
    copies: NDArray[np.bool_]

    @staticmethod
    def of(parts: list[Likeness]) -> Likeness:
        """Several in a row as one."""
        return Likeness(*(np.concatenate(values) for values in zip(NOTHING, *parts, strict=True)))


NOTHING = Likeness(np.empty(0, np.float32), np.empty(0, np.float32), np.empty(0, bool))


def likeness(
    fingerprints: NDArray[np.uint8],
    pairs: Indices,
    threads: int = 1,
    progress: Callable[[int, int], None] | None = None,
    checkpoint: Callable[[], None] | None = None,
) -> Likeness:
    """The likeness of the two of `fingerprints [N, LENGTH]` that each of `pairs [M, 2]` names.

    `progress(done, total)` counts pairs, `checkpoint()` may raise to stop. Time: 0.3 ms a pair; memory: a batch for each thread.
    """
    found: list[Likeness] = []
    done = 0

    def part_of(part: Indices) -> Likeness:
        return Likeness.of([_likeness(fingerprints[batch[:, 0]], fingerprints[batch[:, 1]]) for batch in _cut(part, BATCH)])

    pool = ThreadPoolExecutor(threads)
    # The pool is what uses the cores: products that share them out once more would wait for each other, twice as long in all.
    with threadpool_limits(1, "blas"):
        try:
            for result in pool.map(part_of, _cut(pairs, PART)):
                if checkpoint:
                    checkpoint()
                found.append(result)
                done += len(result.coarse)
                if progress:
                    progress(done, len(pairs))
        finally:
            pool.shutdown(cancel_futures=True)
    return Likeness.of(found)


def _cut(pairs: Indices, size: int) -> Iterator[Indices]:
    for start in range(0, len(pairs), size):
        yield pairs[start : start + size]


def _likeness(ones: NDArray[np.uint8], others: NDArray[np.uint8]) -> Likeness:
    prints, wanted_prints, maps = _first_guess(ones, others)
    pictures, wanted = brightness_of(prints), brightness_of(wanted_prints)
    half_pictures, half_wanted = halved(pictures), halved(wanted)
    maps = aligned(halved(half_wanted), halved(half_pictures), maps, STEPS)
    maps = aligned(half_wanted, half_pictures, maps, STEPS)
    coarse = _coarse(half_wanted, *warped(half_pictures, maps))
    fine, copies = np.full(len(coarse), -1, np.float32), np.zeros(len(coarse), bool)
    near = np.flatnonzero(coarse >= CLOSER)
    if len(near):
        maps = aligned(wanted[near], pictures[near], maps[near], STEPS)
        fine[near], copies[near] = are_copies(prints[near], wanted_prints[near], maps)
    return Likeness(coarse, fine, copies)


def _first_guess(ones: NDArray[np.uint8], others: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8], Stack]:
    """Which of the two is looked at, which is looked for in it, and through which view: fingerprints twice, and maps `[B, 2, 3]`."""
    views, other_views = described(ones), described(others)
    in_ones = np.einsum("vbd,bd->bv", views, other_views[0])
    in_others = np.einsum("vbd,bd->bv", other_views, views[0])
    swap = (in_others.max(axis=1) > in_ones.max(axis=1))[:, None]
    view = np.where(swap, in_others, in_ones).argmax(axis=1)
    return np.where(swap, others, ones), np.where(swap, ones, others), _MAPS[view]


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

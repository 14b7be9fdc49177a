"""Near-duplicates: pictures that are copies of each other, though saved again, resized, cut, turned a little, or made lighter or darker."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from transfer_core.data.near_candidates import Indices, candidates
from transfer_core.data.near_likeness import likeness
from transfer_core.processes import usable_cores


class Pairs(NamedTuple):
    """Two pictures each: `indices [M, 2]`, the smaller first, and their `similarity [M]`, 0 to 1."""

    indices: Indices
    similarity: NDArray[np.float32]


def find_pairs(
    fingerprints: NDArray[np.uint8],
    new: Indices | None = None,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    checkpoint: Callable[[], None] | None = None,
) -> Pairs:
    """The pairs of copies among `fingerprints [N, LENGTH]`, which may be a memory map; sorted by their indices.

    With `new` (indices) only pairs with a new picture in them, at the cost of those. `threads` as many as there are cores by default.
    `progress(done, total)` counts every picture twice, when it was compared and when what is similar to it was looked at closely;
    `checkpoint()` is called between blocks and may raise to stop.
    Memory: 0.26 KB a picture and 100 MB. Time for 100,000 pictures on 2 cores: about 2 minutes, more where many look alike.
    """
    threads, count = threads or usable_cores(), len(fingerprints)

    def compared(done: int, _total: int) -> None:
        if progress:
            progress(done, 2 * count)

    def looked_at(done: int, total: int) -> None:
        if progress:
            progress(count + count * done // total, 2 * count)

    # The pool is what uses the cores: products that share them out once more would wait for each other, twice as long in all.
    with threadpool_limits(1, "blas"):
        pairs = candidates(fingerprints, new, threads, compared, checkpoint)
    found = likeness(fingerprints, pairs, threads, looked_at, checkpoint)
    return Pairs(pairs[found.copies], found.fine[found.copies].clip(0, 1))

"""Near-duplicates: pictures that are copies of each other, though saved again, resized, cut, turned a little, or made lighter or darker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from transfer_core.data.near_candidates import Candidates, candidates
from transfer_core.images.alignment import Stack, aligned, warped
from transfer_core.images.fingerprint import SIDE, brightness_of

Indices = NDArray[np.int64]

BATCH = 128
# Averages of so many pixels a side are aligned one after another, each in so many steps.
LEVELS = ((4, 3), (2, 3), (1, 3))


def agreement(wanted: Stack, seen: Stack, inside: NDArray[np.bool_]) -> Stack:
    tile = 8
    count = len(wanted)
    n = SIDE // tile

    def tiles(values: Stack) -> Stack:
        return values.reshape(count, n, tile, n, tile).transpose(0, 1, 3, 2, 4).reshape(count, n * n, tile * tile)

    one, other = tiles(wanted.reshape(count, -1)), tiles(seen)
    whole = tiles(inside.astype(np.float32)).min(2) > 0
    one = one - one.mean(2, keepdims=True)
    other = other - other.mean(2, keepdims=True)
    return (one * other).mean(2), (one * one).mean(2), (other * other).mean(2), whole

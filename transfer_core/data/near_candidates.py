"""Which pictures of a large set might show the same: coarse descriptions of the whole of each, and of crops, compared in blocks."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from transfer_core.images.fingerprint import COLOUR_SIDE, SIDE, brightness_of, colour_of

Vectors = NDArray[np.float32]

# Waves a side, from none: at half a wave each, 7 is 3.5 waves, which a shift of 5 % of the side still leaves in step.
WAVES = 8
COLOUR_WAVES = 4
COLOUR_WEIGHT = 1.5
# Parts of a side that a copy may show, each tried along both: the first is all of it.
PARTS = ((0.0, 1.0), (0.0, 0.9), (0.05, 0.95), (0.1, 1.0))
# Which of the parts down and along make a view.
VIEWS = ((0, 0), *((down, along) for down in (1, 2, 3) for along in (1, 2, 3)))
BLOCK = 2048


@cache
def _waves(side: int, count: int) -> Vectors:
    """Cosines over each of `PARTS`, sampled by the pixels of a side: `[len(PARTS), count, side]`."""
    fine = 32
    places = (np.arange(side * fine) + 0.5) / (side * fine)
    found = []
    for start, end in PARTS:
        within = (places >= start) & (places < end)
        waves = np.cos(np.pi * np.arange(count)[:, None] * (places - start) / (end - start)) * within / within.sum()
        found.append(waves.reshape(count, side, fine).sum(2))
    return np.array(found, np.float32)


def _weights(count: int) -> Vectors:
    """How much each pair of waves counts: natural pictures hold the less of a wave the shorter it is, and a shift spoils the short ones."""
    squared = np.arange(count)[:, None] ** 2 + np.arange(count)[None] ** 2
    return (np.sqrt(squared) * np.exp(-squared / 50)).astype(np.float32)


def described(fingerprints: NDArray[np.uint8], views: tuple[tuple[int, int], ...] = VIEWS) -> Vectors:
    """Vectors of unit length of `fingerprints [N, LENGTH]` seen through each of `views`: float32 `[views, N, D]`."""
    brightness, colour = brightness_of(fingerprints), colour_of(fingerprints)
    count = len(brightness)
    grey, blue_red = _waves(SIDE, WAVES), _waves(COLOUR_SIDE, COLOUR_WAVES)
    # [N, S, S] with all parts along at once, then down for each.
    along = brightness @ grey.reshape(-1, SIDE).T
    colour_along = colour @ blue_red.reshape(-1, COLOUR_SIDE).T
    weights, colour_weights = _weights(WAVES), _weights(COLOUR_WAVES)
    colour_weights[0, 0] = 0.7
    result = []
    for down, across in views:
        waves = grey[down] @ along[:, :, across * WAVES : (across + 1) * WAVES]
        waves *= weights
        tints = blue_red[down] @ colour_along[..., across * COLOUR_WAVES : (across + 1) * COLOUR_WAVES]
        tints *= COLOUR_WEIGHT * colour_weights
        # The mean brightness is left out: it tells little, and a lighter copy has another.
        both = np.concatenate([waves.reshape(count, -1)[:, 1:], tints.reshape(count, -1)], axis=1)
        both /= np.linalg.norm(both, axis=1, keepdims=True) + 1e-6
        result.append(both)
    return np.stack(result)

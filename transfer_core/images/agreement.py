"""Whether two small pictures that lie over each other show the same, in every place where there is something to see."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from transfer_core.images.alignment import Stack

TILES = 8  # along each side
# The share of all there is to see that may disagree along the edge: black corners of a turned picture, a mark, a date.
EDGE = 0.2
# Variance of the noise of a JPEG in the band that is compared, in squared grey levels: with less there is nothing to see.
NOISE = 1.0
# A place counts when it has this share of what the places in the picture have on average.
COUNTS = 0.25

_INNER = np.zeros((TILES, TILES), bool)
_INNER[1:-1, 1:-1] = True


class Agreement(NamedTuple):
    """Each `[B]`: of all places together and of that inner place which agrees least, -1 to 1; and how many places count, 1 to 64."""

    overall: NDArray[np.float32]
    weakest: NDArray[np.float32]
    places: NDArray[np.float32]


def agreement(wanted: Stack, seen: Stack, inside: NDArray[np.bool_]) -> Agreement:
    """How well `seen [B, S, S]` agrees with `wanted [B, S, S]` in fine detail, where `inside [B, S, S]` says that it is seen.

    Correlations of the band of 5 to 10 pixels within each of 8 x 8 tiles, weighted by the contrast in them. Brightness, slow shading and
    the finest noise are outside the band, and what two pictures of one kind have in common is in it only by chance.
    """
    covariance, one, other = _moments(wanted, seen, inside)
    correlation = covariance / np.sqrt(one * other + NOISE)
    weight = np.sqrt(np.maximum(one, other))
    # As many tiles of equal weight would be as sure (Kish's effective sample size).
    places = weight.sum(axis=1) ** 2 / ((weight * weight).sum(axis=1) + 1e-3)
    return Agreement(_overall(correlation, weight), _weakest(covariance, one, other), np.asarray(places, np.float32))


def _moments(wanted: Stack, seen: Stack, inside: NDArray[np.bool_]) -> tuple[Stack, Stack, Stack]:
    """The covariance and both variances in each tile, `[B, TILES * TILES]`; 0 in a tile that is not all inside."""
    one, other = _tiles(band(wanted)), _tiles(band(seen))
    whole = _tiles(inside).all(axis=2)
    one -= one.mean(axis=2, keepdims=True)
    other -= other.mean(axis=2, keepdims=True)
    size = one.shape[2]
    covariance, first, second = (
        np.einsum("btp,btp->bt", left, right) / size for left, right in ((one, other), (one, one), (other, other))
    )
    return covariance * whole, first * whole, second * whole


def _tiles(pictures: NDArray[np.generic]) -> NDArray:
    count, side = pictures.shape[:2]
    size = side // TILES
    return pictures.reshape(count, TILES, size, TILES, size).swapaxes(2, 3).reshape(count, TILES * TILES, size * size)


def band(pictures: Stack) -> Stack:
    """The difference of the means of 3 x 3 and of 5 x 5 pixels: what changes within 5 to 10 pixels, `[B, S, S]`."""
    return _box(pictures, 3) - _box(pictures, 5)


def _box(pictures: Stack, size: int) -> Stack:
    for axis in (1, 2):
        edges = [(0, 0)] * 3
        edges[axis] = (size // 2, size // 2)
        padded = np.pad(pictures, edges, "edge")
        length = pictures.shape[axis]
        parts = [
            padded[:, place : place + length] if axis == 1 else padded[:, :, place : place + length] for place in range(size)
        ]
        pictures = parts[0] + parts[1]
        for part in parts[2:]:
            pictures += part
    return pictures / np.float32(size * size)


def _overall(correlation: Stack, weight: Stack) -> NDArray[np.float32]:
    order = np.argsort(correlation, axis=1)
    correlation, weight = (np.take_along_axis(values, order, axis=1) for values in (correlation, weight))
    edge = ~_INNER.ravel()[order]
    spared = edge & (np.cumsum(weight * edge, axis=1) <= EDGE * weight.sum(axis=1, keepdims=True))
    weight = np.where(spared, 0, weight)
    return np.asarray((correlation * weight).sum(axis=1) / (weight.sum(axis=1) + 1e-3), np.float32)


def _weakest(covariance: Stack, one: Stack, other: Stack) -> NDArray[np.float32]:
    """The lowest correlation of any two by two inner tiles; 1 where there is nothing to see inside."""
    inner = slice(1, TILES - 1)

    def squares(values: Stack) -> Stack:
        values = values.reshape(-1, TILES, TILES)[:, inner, inner]
        rows = values[:, 1:] + values[:, :-1]
        return (rows[:, :, 1:] + rows[:, :, :-1]).reshape(len(values), -1)

    covariance, one, other = squares(covariance), squares(one), squares(other)
    contrast = np.maximum(one, other)
    correlation = covariance / np.sqrt(one * other + 4 * NOISE)
    seen = contrast > COUNTS * contrast.mean(axis=1, keepdims=True)
    return np.asarray(np.where(seen, correlation, 1).min(axis=1), np.float32)

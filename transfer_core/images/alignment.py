"""Laying one small picture over another: Lucas and Kanade's method, for many pairs at once."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

Stack = NDArray[np.float32]

# Added to the diagonal of the equations, relative to its mean: a picture that is flat in some direction then moves less along it.
RIDGE = 1e-3


@cache
def grid(side: int) -> tuple[Stack, Stack]:
    """The x and y `[side * side]` of the middles of the pixels of a square picture whose sides run from -1 to 1."""
    middles = ((np.arange(side, dtype=np.float32) + 0.5) * (2 / side) - 1).astype(np.float32)
    x, y = np.meshgrid(middles, middles)
    return x.ravel(), y.ravel()


def halved(pictures: Stack) -> Stack:
    """Means of two by two pixels: `[B, S, S]` to `[B, S / 2, S / 2]`."""
    rows = pictures[:, ::2] + pictures[:, 1::2]
    return np.asarray((rows[:, :, ::2] + rows[:, :, 1::2]) / 4, np.float32)


def warped(pictures: Stack, maps: Stack) -> tuple[Stack, NDArray[np.bool_]]:
    """Each of `pictures [B, S, S]` as seen through `maps [B, 2, 3]`, and which of the pixels lie within it: both `[B, S, S]`.

    A map takes (x, y, 1) of the picture that is looked for to (x, y) of the one that is looked at; sides run from -1 to 1.
    """
    count, side = len(pictures), pictures.shape[1]
    x, y = grid(side)
    places = maps @ np.stack([x, y, np.ones_like(x)])
    places += 1
    places *= side / 2
    places -= 0.5
    inside = ((places >= -0.5) & (places <= side - 0.5)).all(axis=1)
    np.clip(places, 0, side - 1.001, out=places)
    corner = places.astype(np.int32)
    places -= corner
    along, down = places[:, 0], places[:, 1]
    flat = np.ascontiguousarray(pictures).reshape(-1)
    first = corner[:, 1] * side + corner[:, 0] + (np.arange(count, dtype=np.int32) * (side * side))[:, None]
    upper_left, upper_right = flat.take(first), flat.take(first + 1)
    lower_left, lower_right = flat.take(first + side), flat.take(first + side + 1)
    upper_left += along * (upper_right - upper_left)
    lower_left += along * (lower_right - lower_left)
    upper_left += down * (lower_left - upper_left)
    return upper_left.reshape(count, side, side), inside.reshape(count, side, side)


def aligned(wanted: Stack, pictures: Stack, maps: Stack, steps: int) -> Stack:
    """`maps [B, 2, 3]` brought closer, in `steps` steps, to where `pictures [B, S, S]` show what `wanted [B, S, S]` shows.

    Gauss-Newton on an affine map together with a gain and an offset of brightness, so that a lighter copy is no worse than an equal one.
    The gradient is that of `wanted`, the same in all steps: Baker and Matthews, Lucas-Kanade 20 Years On (2004), inverse compositional.
    """
    count, side = len(wanted), wanted.shape[1]
    x, y = grid(side)
    down, along = np.gradient(wanted, 2 / side, axis=(1, 2))
    along, down = along.reshape(count, -1), down.reshape(count, -1)
    flat = wanted.reshape(count, -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    ones = np.ones_like(flat)
    columns = np.stack([along * x, along * y, along, down * x, down * y, down, flat, ones], axis=1)
    for _step in range(steps):
        seen, inside = warped(pictures, maps)
        seen, inside = seen.reshape(count, -1), inside.reshape(count, -1)
        weighted = columns * trusted(seen, flat, inside)[:, None]
        equations = weighted @ columns.transpose(0, 2, 1)
        diagonal = np.einsum("bii->bi", equations)
        diagonal[:, :6] += RIDGE * diagonal[:, :6].mean(axis=1, keepdims=True)
        diagonal += 1e-3
        solved = np.linalg.solve(equations, weighted @ seen[..., None])[..., 0]
        gain = np.where(np.abs(solved[:, 6]) < 0.2, 0.2, solved[:, 6])
        change = (solved[:, :6] / gain[:, None]).reshape(-1, 2, 3).clip(-0.15, 0.15)
        # seen(x) = wanted(x + change): what is wanted at x is seen where the change is taken back.
        maps = composed(maps, change)
    return maps


def trusted(seen: Stack, wanted: Stack, inside: NDArray[np.bool_]) -> Stack:
    """A weight for each pixel, 0 to 1: less where `seen` is far from what brightening or darkening `wanted` explains (all `[B, P]`).

    So that the black corners of a turned picture, or a mark put on it, are not what it is turned by. The weights are Cauchy's.
    """
    mask = inside.astype(np.float32)
    count = mask.sum(axis=1, keepdims=True) + 1
    one = wanted - (wanted * mask).sum(axis=1, keepdims=True) / count
    other = seen - (seen * mask).sum(axis=1, keepdims=True) / count
    gain = (one * other * mask).sum(axis=1, keepdims=True) / ((one * one * mask).sum(axis=1, keepdims=True) + 1)
    off = np.abs(other - gain * one) * mask
    spread = off.sum(axis=1, keepdims=True) / count + 1
    return np.asarray(mask / (1 + (off / (2 * spread)) ** 2), np.float32)


def composed(maps: Stack, change: Stack) -> Stack:
    """`maps` after `change` is taken back: x to maps(x - change(x)), to first order; `[B, 2, 3]` both."""
    result = maps.copy()
    result[:, :, :2] -= maps[:, :, :2] @ change[:, :, :2]
    result[:, :, 2] -= (maps[:, :, :2] @ change[:, :, 2:])[..., 0]
    return result

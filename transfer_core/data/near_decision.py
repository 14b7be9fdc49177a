"""Whether two pictures that lie over each other as well as can be are copies: agreement, light, colour, and how one was moved."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from transfer_core.images.agreement import agreement
from transfer_core.images.alignment import Stack, warped
from transfer_core.images.fingerprint import COLOUR_SIDE, brightness_of, colour_of

Decision = NDArray[np.bool_]

# From which agreement of all places together, and of every single one inside, two pictures are copies. Of planted copies 1 % agree less;
# of 1,500 hands before a wall that make the same few signs, none agrees as much.
COPY = 0.87
EVERYWHERE = 0.7
# A stroke or a disc can be laid over any other: the fewer places with something to see, of 64, the better they must agree,
LITTLE, ENOUGH = 20, 40
COPY_OF_LITTLE = 0.95
# and the less one may have been moved, in halves of a side: what lies elsewhere is then another one, and not the same one cut out.
ENOUGH_TO_MOVE = 32
MOVED_OF_LITTLE, MOVED = 0.05, 0.6
# A copy shows a part of the other, turned by a few degrees at most. Of leaves that could be laid over each other otherwise, most
# were two photographs of one leaf.
SCALES = (0.75, 1.25)
TURN = 0.12
# Contrast of a copy, relative to the other's.
GAINS = (0.6, 1.67)
# Colours of a copy may differ by so much, in levels of 255, and by this share of how colourful it is; or one of them has no colour.
COLOUR, COLOUR_SHARE, NO_COLOUR = 6.0, 0.4, 3.0


def are_copies(pictures: NDArray[np.uint8], wanted: NDArray[np.uint8], maps: Stack) -> tuple[NDArray[np.float32], Decision]:
    """The agreement `[B]` in fine detail, -1 to 1, and whether they are copies: of `wanted` and of `pictures` as seen through `maps`.

    Fingerprints `[B, LENGTH]` both, and maps `[B, 2, 3]` as for `warped`.
    """
    picture, other = brightness_of(pictures), brightness_of(wanted)
    seen, inside = warped(picture, maps)
    found = agreement(other, seen, inside)
    least = np.interp(found.places, (LITTLE, ENOUGH), (COPY_OF_LITTLE, COPY))
    furthest = np.interp(found.places, (LITTLE, ENOUGH_TO_MOVE), (MOVED_OF_LITTLE, MOVED))
    copies = (found.overall >= least) & (found.weakest >= EVERYWHERE) & (_moved(maps) <= furthest) & _straight(maps)
    copies &= _light_is_alike(other, seen, inside) & _colours_are_alike(colour_of(pictures), colour_of(wanted), maps)
    return found.overall, copies


def _moved(maps: Stack) -> NDArray[np.float32]:
    """How far a corner is moved at most, along or down."""
    return np.asarray(np.abs(maps - np.eye(2, 3, dtype=np.float32)).sum(axis=2).max(axis=1))


def _straight(maps: Stack) -> Decision:
    scale, turn = maps[:, [0, 1], [0, 1]], maps[:, [0, 1], [1, 0]]
    return np.asarray(((scale >= SCALES[0]) & (scale <= SCALES[1]) & (np.abs(turn) <= TURN)).all(axis=1))


def _light_is_alike(wanted: Stack, seen: Stack, inside: NDArray[np.bool_]) -> Decision:
    count = inside.sum(axis=(1, 2)) + 1

    def contrast(values: Stack) -> NDArray[np.float32]:
        deviation = values - (np.where(inside, values, 0).sum(axis=(1, 2)) / count)[:, None, None]
        return np.asarray(np.sqrt(np.where(inside, deviation * deviation, 0).sum(axis=(1, 2)) / count) + 1e-3)

    gain = contrast(seen) / contrast(wanted)
    return np.asarray((gain >= GAINS[0]) & (gain <= GAINS[1]))


def _colours_are_alike(pictures: Stack, wanted: Stack, maps: Stack) -> Decision:
    """`pictures` and `wanted` as `colour_of` gives them, `[B, 2, S, S]`."""
    seen, inside = warped(pictures.reshape(-1, COLOUR_SIDE, COLOUR_SIDE), np.repeat(maps, 2, axis=0))
    seen, inside = seen.reshape(wanted.shape), inside.reshape(wanted.shape)

    def size(values: Stack) -> NDArray[np.float32]:
        squares = np.where(inside, values * values, 0).sum(axis=(1, 2, 3))
        return np.asarray(np.sqrt(squares / (inside.sum(axis=(1, 2, 3)) + 1)))

    one, other = size(wanted), size(seen)
    alike = size(seen - wanted) <= COLOUR + COLOUR_SHARE * np.maximum(one, other)
    return np.asarray(alike | (np.minimum(one, other) <= NO_COLOUR))

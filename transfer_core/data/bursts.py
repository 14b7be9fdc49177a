"""Bursts: pictures taken in one go, which a split must not part because one gives the other away."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from transfer_core.data.near_candidates import Indices
from transfer_core.data.near_duplicates import Pairs
from transfer_core.data.near_likeness import likeness

# Held down, a shutter gives several a second; pressed again at the same thing, one in a few.
SECONDS = timedelta(seconds=3)
# Numbered in a row, but so far apart in time that somebody has walked on.
PAUSE = timedelta(seconds=60)
# One that was deleted in between does not end a burst.
NUMBERS = 2
# From which agreement at half the resolution two that follow each other are of one burst. Of leaves photographed in a row, three in
# ten agree as much, nearly all the same leaf; of random leaves, one in twenty; of random flowers, one in a thousand.
ALIKE = 0.7

_IDENTIFIER = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_NUMBER = re.compile(r"(.*?)(\d+)(\D*)", re.DOTALL)


class Shot(Protocol):
    """What tells when a picture was taken: its folder and name, its size in pixels, and the camera's time as EXIF writes it."""

    @property
    def source(self) -> int: ...
    @property
    def relative(self) -> str: ...
    @property
    def width(self) -> int | None: ...
    @property
    def height(self) -> int | None: ...
    @property
    def taken(self) -> str | None: ...


def find_bursts(
    shots: Sequence[Shot],
    fingerprints: NDArray[np.uint8],
    rows: Indices,
    new: Indices | None = None,
    threads: int = 1,
    checkpoint: Callable[[], None] | None = None,
) -> Pairs:
    """Pairs of indices of `shots` that are of one burst: they follow each other (`in_a_row`) and look alike; a burst is a chain of pairs.

    The fingerprint of shot `i` is `fingerprints[rows[i]]`; two shots with one row are the same picture, and no pair. With `new` (rows)
    only pairs with one of those in them. `checkpoint()` may raise to stop. Time: that of `likeness` for each pair in a row.
    """
    pairs = in_a_row(shots)
    pairs = pairs[rows[pairs[:, 0]] != rows[pairs[:, 1]]]
    if new is not None:
        pairs = pairs[np.isin(rows[pairs], new).any(axis=1)]
    alike = likeness(fingerprints, rows[pairs], threads, checkpoint=checkpoint).coarse
    return Pairs(pairs[alike >= ALIKE], alike[alike >= ALIKE].clip(0, 1))


def in_a_row(shots: Sequence[Shot]) -> Indices:
    """Pairs `[M, 2]` of indices that could be of one burst by folder, size, name and time; pictures are not looked at.

    By number: names that differ only in their last number, by at most `NUMBERS`, and not taken more than `PAUSE` apart where that is noted.
    By time: taken within `SECONDS`. Identifiers (UUIDs) in names say nothing and are passed over. Time: that of sorting.
    """
    by_number: dict[object, list[tuple[int, int]]] = defaultdict(list)
    by_time: dict[object, list[tuple[datetime, str, int]]] = defaultdict(list)
    moments = [_moment(shot.taken) for shot in shots]
    for index, (shot, moment) in enumerate(zip(shots, moments, strict=True)):
        path = PurePosixPath(shot.relative)
        # A camera may have been turned in between.
        place = (shot.source, path.parent, frozenset((shot.width, shot.height)))
        match = _NUMBER.fullmatch(_IDENTIFIER.sub("", path.stem))
        if match:
            before, number, after = match.groups()
            by_number[place, before, after, path.suffix.lower()].append((int(number), index))
        if moment:
            by_time[place].append((moment, shot.relative, index))
    found: set[tuple[int, int]] = set()
    for numbers in by_number.values():
        numbers.sort()
        for (number, first), (following, second) in pairwise(numbers):
            if following - number <= NUMBERS and not _apart(moments[first], moments[second]):
                found.add((min(first, second), max(first, second)))
    for times in by_time.values():
        times.sort()
        for (moment, _name, first), (later, _later_name, second) in pairwise(times):
            if later - moment <= SECONDS:
                found.add((min(first, second), max(first, second)))
    return np.array(sorted(found), np.int64).reshape(-1, 2)


def _moment(taken: str | None) -> datetime | None:
    try:
        return datetime.strptime(taken.strip("\0 "), "%Y:%m:%d %H:%M:%S") if taken else None
    except ValueError:  # a camera whose clock was never set writes zeros or blanks
        return None


def _apart(first: datetime | None, second: datetime | None) -> bool:
    return first is not None and second is not None and abs(second - first) > PAUSE

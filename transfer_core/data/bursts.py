"""Bursts: pictures taken in one go, which a split must not part because one gives the other away."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from transfer_core.data.near_duplicates import Indices, groups

# Held down, a shutter gives several a second; released and pressed again at the same thing, one in a few.
SECONDS = timedelta(seconds=3)
# Numbered in a row, but so far apart in time that somebody has walked on.
PAUSE = timedelta(seconds=60)
# One that was deleted in between does not end a burst.
NUMBERS = 2
# What `near_duplicates.likeness` must say of two of a burst. Of pictures that are merely of one kind it says less.
ALIKE = 0.7

_IDENTIFIER = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_NUMBER = re.compile(r"(.*?)(\d+)(\D*)", re.DOTALL)


@dataclass(frozen=True)
class Shot:
    """What tells when a picture was taken: its folder and name (`relative`, with slashes), size in pixels, and time where it is noted."""

    relative: str
    width: int
    height: int
    taken: datetime | None = None
    source: int = 0


def bursts(shots: Sequence[Shot], likeness: Callable[[Indices], NDArray[np.floating]]) -> Indices:
    """A group number for each of `shots`: int64 `[len(shots)]`, those of one burst share it, all others have one of their own.

    Two belong together when they lie in one folder, have the same size, follow each other in time or in number (`in_a_row`), and look alike:
    `likeness(pairs [M, 2])` gives `[M]` values, at least `ALIKE` counts.
    """
    pairs = in_a_row(shots)
    if len(pairs):
        pairs = pairs[np.asarray(likeness(pairs)) >= ALIKE]
    return groups(len(shots), pairs)


def in_a_row(shots: Sequence[Shot]) -> Indices:
    """Pairs `[M, 2]` of indices that could be of one burst by folder, size, name and time; pictures are not looked at.

    By number: names that differ only in their last number, by at most `NUMBERS`, and not taken more than `PAUSE` apart where that is noted.
    By time: taken within `SECONDS`. Identifiers (UUIDs) in names say nothing and are passed over. Time: that of sorting.
    """
    by_name: dict[object, list[tuple[int, int]]] = defaultdict(list)
    by_time: dict[object, list[tuple[datetime, str, int]]] = defaultdict(list)
    for index, shot in enumerate(shots):
        path = PurePosixPath(shot.relative)
        place = (shot.source, path.parent, frozenset((shot.width, shot.height)))
        numbered = _numbered(path.stem)
        if numbered:
            before, number, after = numbered
            by_name[place, before, after, path.suffix.lower()].append((number, index))
        if shot.taken:
            by_time[place].append((shot.taken.replace(tzinfo=None), shot.relative, index))
    found: set[tuple[int, int]] = set()
    for names in by_name.values():
        names.sort()
        for (number, first), (following, second) in zip(names, names[1:], strict=False):
            if following - number <= NUMBERS and not _apart(shots[first], shots[second]):
                found.add((min(first, second), max(first, second)))
    for times in by_time.values():
        times.sort()
        for (moment, _name, first), (later, _later_name, second) in zip(times, times[1:], strict=False):
            if later - moment <= SECONDS:
                found.add((min(first, second), max(first, second)))
    return np.array(sorted(found), np.int64).reshape(-1, 2)


def _numbered(stem: str) -> tuple[str, int, str] | None:
    """What is before the last number in a name, the number, and what is behind it."""
    match = _NUMBER.fullmatch(_IDENTIFIER.sub("", stem))
    if match is None:
        return None
    before, number, after = match.groups()
    return before, int(number), after


def _apart(first: Shot, second: Shot) -> bool:
    if first.taken is None or second.taken is None:
        return False
    return abs(second.taken.replace(tzinfo=None) - first.taken.replace(tzinfo=None)) > PAUSE

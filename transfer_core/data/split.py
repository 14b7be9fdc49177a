"""The split: stratified by class, groups on one side, stable when pictures are added."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

VAL = 0.15
TEST = 0.15
# Below this many pictures a class gives none to the test set: it has too few to learn from as it is.
FEWEST_FOR_TEST = 10
# From here on one held-out set is large enough, and cross-validation is five times the work for nothing.
MOST_CROSS_VALIDATED = 10_000
HELD_OUT = ("test", "val")  # the most protected first


@dataclass(frozen=True)
class Shares:
    """The parts of each class that are held out, 0 to 0.5 each; `seed` draws which pictures these are."""

    val: float = VAL
    test: float = TEST
    seed: int = 0


class Member(NamedTuple):
    """What the split has to know of a sample in use.

    `given` is the set it must stand in, None where it is free; `drawn` the one it was put into before.
    """

    id: int
    label: str
    name: str
    group: str
    copies: str
    given: str | None = None
    drawn: str | None = None


def find_leaks(members: Iterable[Member]) -> dict[int, str]:
    """The ids of samples that show the same picture as one held out more strictly, with that one's set: "test" or "val".

    A copy that is learnt from and then asked for makes a score that lies; of a copy in the test and the validation set, that of the test
    set stays.
    """
    guarded: dict[str, int] = {}
    members = list(members)
    for member in members:
        if member.given in HELD_OUT:
            rank = HELD_OUT.index(member.given)
            guarded[member.copies] = min(rank, guarded.get(member.copies, rank))
    leaks = {}
    for member in members:
        own = HELD_OUT.index(member.given) if member.given in HELD_OUT else len(HELD_OUT)
        if guarded.get(member.copies, own) < own:
            leaks[member.id] = HELD_OUT[guarded[member.copies]]
    return leaks


def plan_splits(members: Sequence[Member], shares: Shares = Shares()) -> dict[int, str]:
    """The split of each sample id. Shares are of what is free in each class; a group counts for the class of its first sample.

    Members that must stand in a set do; the others of a group stay together, where they were before or in an order drawn by the seed.
    """
    splits = {member.id: member.given for member in members if member.given}
    free: dict[str, list[Member]] = defaultdict(list)
    for member in sorted(members, key=lambda member: (member.label, member.name, member.id)):
        if not member.given:
            free[member.group].append(member)
    by_class: dict[str, list[list[Member]]] = defaultdict(list)
    for group in free.values():
        by_class[group[0].label].append(group)
    for groups in by_class.values():
        splits |= _plan_class(groups, shares)
    return splits


def _plan_class(groups: list[list[Member]], shares: Shares) -> dict[int, str]:
    """Keep what was assigned; fill test, then validation, then train, in an order fixed by seed and content."""
    total = sum(len(group) for group in groups)
    want = {
        "test": round(shares.test * total) if total >= FEWEST_FOR_TEST else 0,
        "val": round(shares.val * total) if total >= 4 else 0,
    }
    splits: dict[int, str] = {}
    open_groups = []
    for group in groups:
        before = next((member.drawn for member in group if member.drawn), None)
        if before:
            splits |= {member.id: before for member in group}
            want[before] = want.get(before, 0) - len(group)
        else:
            open_groups.append(group)
    for group in sorted(open_groups, key=lambda group: _draw(shares.seed, group[0].group)):
        split = next((name for name in HELD_OUT if want[name] >= len(group)), "train")
        splits |= {member.id: split for member in group}
        want[split] = want.get(split, 0) - len(group)
    return splits


def _draw(seed: int, group: str) -> bytes:
    return hashlib.blake2b(f"{seed}:{group}".encode(), digest_size=8).digest()

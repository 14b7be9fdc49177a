"""The split: stratified by class, exact duplicates on one side, stable when pictures are added."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence

from transfer_core.data.samples import Sample, SampleTable
from transfer_core.i18n import _

VAL = 0.15
TEST = 0.15
# Below this many pictures a class gives none to the test set: it has too few to learn from as it is.
FEWEST_FOR_TEST = 10


def assign_splits(table: SampleTable, seed: int) -> None:
    """Give every sample in use a split. What the folders say and what was assigned before stays.

    Where the folders give a test set, none is cut from the rest; the same for a validation set. A picture of the training side whose exact
    copy lies in a given test or validation set is left out, because it would be learnt by heart and then asked for.
    """
    samples = table.samples()
    given = {sample.given_split for sample in samples}
    copies = _copies_of_held_out(samples)
    table.leave_out(copies, _("the same picture is in the test or validation set"))
    samples = [sample for sample in samples if sample.id not in copies]
    table.set_splits(plan_splits(samples, seed, val=0.0 if "val" in given else VAL, test=0.0 if "test" in given else TEST))


def _copies_of_held_out(samples: Sequence[Sample]) -> set[int]:
    held_out = {sample.group for sample in samples if sample.given_split in ("val", "test")}
    return {sample.id for sample in samples if sample.given_split not in ("val", "test") and sample.group in held_out}


def plan_splits(samples: Sequence[Sample], seed: int, val: float = VAL, test: float = TEST) -> dict[int, str | None]:
    """The split of each sample id. Shares are of each class; a group counts for the class of its first sample."""
    splits: dict[int, str | None] = {sample.id: sample.given_split for sample in samples if sample.given_split in ("val", "test")}
    free = [sample for sample in samples if sample.id not in splits]
    groups: dict[str, list[Sample]] = defaultdict(list)
    for sample in sorted(free, key=lambda sample: (sample.label or "", sample.source, sample.relative)):
        groups[sample.group].append(sample)
    by_class: dict[str, list[list[Sample]]] = defaultdict(list)
    for members in groups.values():
        by_class[members[0].label or ""].append(members)
    for members_of_class in by_class.values():
        splits |= _plan_class(members_of_class, seed, val, test)
    return splits


def _plan_class(groups: list[list[Sample]], seed: int, val: float, test: float) -> dict[int, str | None]:
    """Keep what was assigned; fill test, then validation, then train, in an order fixed by seed and content."""
    total = sum(len(members) for members in groups)
    want = {"test": round(test * total) if total >= FEWEST_FOR_TEST else 0, "val": round(val * total) if total >= 4 else 0}
    splits: dict[int, str | None] = {}
    open_groups = []
    for members in groups:
        before = next((sample.split for sample in members if sample.split), None)
        if before:
            splits |= {sample.id: before for sample in members}
            want[before] = want.get(before, 0) - len(members)
        else:
            open_groups.append(members)
    for members in sorted(open_groups, key=lambda members: _draw(seed, members[0].group)):
        split = next((name for name in ("test", "val") if want[name] >= len(members)), "train")
        splits |= {sample.id: split for sample in members}
        want[split] = want.get(split, 0) - len(members)
    return splits


def _draw(seed: int, group: str) -> bytes:
    return hashlib.blake2b(f"{seed}:{group}".encode(), digest_size=8).digest()

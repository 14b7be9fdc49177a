from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from transfer_core.data.samples import Sample, SampleTable
from transfer_core.data.split import FEWEST_FOR_TEST, assign_splits, plan_splits


def sample(
    number: int, label: str = "cat", content: str | None = None, given: str | None = None, split: str | None = None
) -> Sample:
    content = content or f"{label}{number:030}"
    return Sample(
        number, 0, Path(), f"{label}/{number:05}.jpg", label, given, split, content, 1, 1, 8, 8, "JPEG", "in", None
    )  # fmt: skip


def some(count: int, label: str = "cat", start: int = 0) -> list[Sample]:
    return [sample(start + number, label) for number in range(count)]


def shares(samples: list[Sample], splits: dict[int, str | None]) -> dict[str, Counter[str | None]]:
    counts: dict[str, Counter[str | None]] = {}
    for each in samples:
        counts.setdefault(each.label or "", Counter())[splits[each.id]] += 1
    return counts


def test_each_class_gives_its_share() -> None:
    """15 % of every class to test and to validation, of the rare class too."""
    samples = some(400, "cat") + some(60, "dog", 400) + some(20, "rare", 460)
    counted = shares(samples, plan_splits(samples, seed=0))
    assert counted["cat"] == {"train": 280, "val": 60, "test": 60}
    assert counted["dog"] == {"train": 42, "val": 9, "test": 9}
    assert counted["rare"] == {"train": 14, "val": 3, "test": 3}


@pytest.mark.parametrize(
    "count, val, test", [(1, 0, 0), (2, 0, 0), (3, 0, 0), (4, 1, 0), (FEWEST_FOR_TEST - 1, 1, 0), (FEWEST_FOR_TEST, 2, 2)]
)
def test_small_classes_keep_enough_to_learn_from(count: int, val: int, test: int) -> None:
    """A single picture is learnt from, not asked; the test set takes nothing from where there is little."""
    counted = Counter(plan_splits(some(count), seed=0).values())
    assert (counted["train"], counted["val"], counted["test"]) == (count - val - test, val, test)


def test_copies_stand_on_one_side() -> None:
    """Exact copies, within a class and across classes, are never parted."""
    samples = some(60) + some(60, "dog", 60)
    copies = [sample(200 + n, label, content=samples[n % 40].content) for n, label in enumerate(["cat", "dog"] * 60)]
    splits = plan_splits(samples + copies, seed=3)
    by_content: dict[str, set[str | None]] = {}
    for each in samples + copies:
        by_content.setdefault(each.content, set()).add(splits[each.id])
    assert all(len(sides) == 1 for sides in by_content.values())
    assert set(splits.values()) == {"train", "val", "test"}


def test_the_order_of_the_table_does_not_matter() -> None:
    """The same pictures are split alike, however they are listed."""
    samples = some(50) + some(30, "dog", 50)
    shuffled = samples[:]
    random.Random(0).shuffle(shuffled)
    assert plan_splits(samples, seed=5) == plan_splits(shuffled, seed=5)


def test_the_seed_draws() -> None:
    """One seed always gives the same split, another one another."""
    samples = some(100)
    assert plan_splits(samples, seed=1) == plan_splits(samples, seed=1)
    assert plan_splits(samples, seed=1) != plan_splits(samples, seed=2)


def test_what_is_assigned_stays_when_pictures_come() -> None:
    """New pictures never move an old one to the other side, and the shares are kept as far as that allows."""
    old = some(40)
    first = plan_splits(old, seed=0)
    known = [sample(each.id, split=first[each.id]) for each in old]
    new = some(60, start=1000)
    second = plan_splits(known + new, seed=0)
    assert {each.id: second[each.id] for each in old} == first
    assert Counter(second.values()) == {"train": 70, "val": 15, "test": 15}


def test_a_new_copy_joins_the_one_that_is_there() -> None:
    """A copy of an old test picture is a test picture, whatever the draw would say."""
    first = plan_splits(some(40), seed=0)
    known = [sample(number, split=split) for number, split in first.items()]
    copies = [sample(100 + each.id, "dog", content=each.content) for each in known]
    second = plan_splits(known + copies, seed=0)
    assert all(second[100 + number] == split for number, split in first.items())


def test_given_splits_are_kept() -> None:
    """What the folders say stands; the rest of the pictures are divided as far as something is missing."""
    given = [sample(n, given="test") for n in range(10)] + [sample(n, given="val") for n in range(10, 15)]
    train = [sample(n, given="train") for n in range(20, 120)]
    splits = plan_splits(given + train, seed=0, val=0.0, test=0.0)
    assert all(splits[each.id] == each.given_split for each in given + train)
    splits = plan_splits(given[:10] + train, seed=0, test=0.0)
    assert Counter(splits[each.id] for each in train) == {"train": 85, "val": 15}


def table(folder: Path, *names: str, given: dict[str, str] | None = None, content: dict[str, str] | None = None) -> SampleTable:
    made = SampleTable(folder / "samples.sqlite", [folder])
    blank = {"source": 0, "size": 1, "mtime_ns": 1, "width": 8, "height": 8, "format": "PNG", "state": "in", "reason": None}
    made.replace(
        blank
        | {
            "relative": name,
            "label": name.split("/")[0],
            "given_split": (given or {}).get(name),
            "content": (content or {}).get(name, name.encode().hex()),
        }
        for name in names
    )
    return made


def test_where_a_test_set_is_given_none_is_cut(tmp_path: Path) -> None:
    """A given test set is the only one; the validation set still comes out of the rest."""
    names = [f"cat/{n}" for n in range(40)] + [f"dog/{n}" for n in range(40)]
    made = table(tmp_path, *names, given={"cat/0": "test", "dog/0": "test"})
    assign_splits(made, seed=0)
    assert sorted(s.relative for s in made.samples(split="test")) == ["cat/0", "dog/0"]
    assert made.count(split="val") == 12


def test_a_training_copy_of_a_held_out_picture_is_left_out(tmp_path: Path) -> None:
    """Copies of given test and validation pictures don't train; copies among the training pictures do."""
    names = ["cat/a", "cat/b", "cat/c", "dog/a", "dog/b"]
    made = table(
        tmp_path,
        *names,
        given={"cat/a": "test", "dog/a": "val", "cat/b": "train", "cat/c": "train", "dog/b": "train"},
        content={"cat/a": "11", "cat/b": "11", "dog/a": "22", "dog/b": "22", "cat/c": "33"},
    )
    assign_splits(made, seed=0)
    assert [(s.relative, "same picture" in (s.reason or "")) for s in made.left_out()] == [("cat/b", True), ("dog/b", True)]
    assert {s.relative: s.split for s in made.samples()} == {"cat/a": "test", "cat/c": "train", "dog/a": "val"}

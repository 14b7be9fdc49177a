from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pytest

from transfer_core.training import folds as folding
from transfer_core.training.folds import FOLDS, assign_folds, holds_out
from transfer_core.training.samples import RunSample, RunSamples


def sample(label: str, number: int, content: str | None = None, split: str = "train", given: bool = False) -> RunSample:
    return RunSample(f"/p/{label}/{number}", f"{label}/{number}", label, split, given, content or f"{label}{number}")


def of(**counts: int) -> list[RunSample]:
    return [sample(label, number) for label, count in counts.items() for number in range(count)]


def test_each_fold_has_its_share_of_each_class() -> None:
    """Stratified: the folds' counts of a class differ by one at most, and so do the folds as a whole."""
    samples = of(a=53, b=12, c=7, d=2, e=3)
    folds = assign_folds(RunSamples(samples), seed=0)
    assert set(folds) == set(range(FOLDS))
    by_class: dict[str, Counter[int]] = defaultdict(Counter)
    for each, fold in zip(samples, folds, strict=True):
        by_class[each.label][int(fold)] += 1
    for counts in by_class.values():
        numbers = [counts[fold] for fold in range(FOLDS)]
        assert max(numbers) - min(numbers) <= 1
    sizes = np.bincount(folds)
    assert sizes.max() - sizes.min() <= 1


def test_copies_are_held_out_together() -> None:
    """A copy in the training folds would make the answer to its twin worthless, across classes too."""
    samples = of(a=20, b=20)
    samples += [sample("b", 100 + n, content=f"a{n}") for n in range(5)] + [
        sample("a", 200 + n, content=f"a{n}") for n in range(5)
    ]
    folds = assign_folds(RunSamples(samples), seed=1)
    by_content: dict[str, set[int]] = defaultdict(set)
    for each, fold in zip(samples, folds, strict=True):
        by_content[each.content].add(int(fold))
    assert all(len(found) == 1 for found in by_content.values())


def test_a_single_picture_is_always_learnt_from() -> None:
    """Held out, its class would be unknown to the head that answers; copies of one picture are a single picture."""
    samples = [*of(a=10, b=1), sample("c", 0, "same"), sample("c", 1, "same")]
    folds = assign_folds(RunSamples(samples), seed=0)
    assert {int(fold) for each, fold in zip(samples, folds, strict=True) if each.label in "bc"} == {-1}
    assert holds_out(folds)
    assert not holds_out(assign_folds(RunSamples(of(a=1, b=1)), seed=0))
    assert not holds_out(assign_folds(RunSamples([]), seed=0))


def test_no_class_is_held_out_whole() -> None:
    """Whatever the numbers, each fold leaves every class something to learn from."""
    for count in range(2, 8):
        samples = of(a=count, b=2, c=3)
        folds = assign_folds(RunSamples(samples), seed=count)
        for fold in range(FOLDS):
            assert {each.label for each, number in zip(samples, folds, strict=True) if number != fold} == {"a", "b", "c"}


def test_a_given_validation_set_is_the_only_fold() -> None:
    """The user said what is held out; a split of our own making is not that."""
    samples = [*of(a=6, b=6), sample("a", 50, split="val", given=True)]
    assert assign_folds(RunSamples(samples), seed=0).tolist() == [-1] * 12 + [0]
    samples = [*of(a=6, b=6), sample("a", 50, split="val")]
    assert len(set(assign_folds(RunSamples(samples), seed=0).tolist())) > 1


def test_many_samples_have_one_fold(monkeypatch: pytest.MonkeyPatch) -> None:
    """With many, the project's validation split is held out once."""
    monkeypatch.setattr(folding, "MOST_CROSS_VALIDATED", 10)
    samples = [*of(a=6, b=6), sample("a", 50, split="val"), sample("b", 51, split="val")]
    assert assign_folds(RunSamples(samples), seed=0).tolist() == [-1] * 12 + [0, 0]


def test_the_seed_draws() -> None:
    """The same seed gives the same folds, whatever order the samples have within their class; another seed others."""
    samples = of(a=30, b=30)
    first = assign_folds(RunSamples(samples), seed=3)
    assert np.array_equal(first, assign_folds(RunSamples(samples), seed=3))
    assert not np.array_equal(first, assign_folds(RunSamples(samples), seed=4))
    assert np.array_equal(first[::-1], assign_folds(RunSamples(samples[::-1]), seed=3))

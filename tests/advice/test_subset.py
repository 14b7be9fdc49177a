"""The pictures that stand for all: shares of classes, by content, each once."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace

from transfer_core.advice.subset import stratified
from transfer_core.training.samples import RunSample, RunSamples


def sample(label: str, number: int, split: str = "train", given: bool = False) -> RunSample:
    content = hashlib.sha256(f"{label} {number}".encode()).hexdigest()[:32]
    return RunSample(f"/{label}/{number}.jpg", f"{label}/{number}.jpg", label, split, given, content)


def many(**counts: int) -> RunSamples:
    return RunSamples([sample(label, number) for label, count in counts.items() for number in range(count)])


def labels(samples: RunSamples) -> Counter[str]:
    return Counter(each.label for each in samples.samples)


def test_classes_keep_their_shares_and_rare_ones_two_pictures() -> None:
    """With a single picture a class would never be held out."""
    assert labels(stratified(many(a=600, b=300, c=97, d=3), 100)) == {"a": 59, "b": 29, "c": 10, "d": 2}


def test_few_pictures_are_all_taken_in_the_order_they_came() -> None:
    """Nothing is left out without need."""
    samples = many(a=5, b=3)
    assert stratified(samples, 8) == samples
    assert stratified(samples, 1000) == samples


def test_never_more_than_asked_for_even_with_more_classes() -> None:
    """A thousand classes do not make a thousand pictures two thousand."""
    samples = many(**{f"c{number}": 2 for number in range(40)})
    assert len(stratified(samples, 30)) == 30


def test_the_same_pictures_stand_for_a_class_whatever_it_and_they_are_called() -> None:
    """Features that were computed are used again after renaming and sorting."""
    samples = many(a=50, b=70)
    renamed = RunSamples(
        [replace(each, label=f"x{each.label}", path=f"/other{each.path}", relative="r") for each in reversed(samples.samples)]
    )
    assert set(stratified(samples, 30).contents) == set(stratified(renamed, 30).contents)


def test_more_pictures_leave_most_of_the_old_ones_in() -> None:
    """By content and not by chance: new pictures take some places only."""
    before, after = set(stratified(many(a=100, b=100), 40).contents), set(stratified(many(a=110, b=110), 40).contents)
    assert len(before & after) >= 30


def test_each_picture_counts_once() -> None:
    """A copy would be its own nearest neighbour, and stand on both sides of a fold."""
    samples = many(a=4, b=4)
    copies = [replace(each, path=f"/copy{each.path}") for each in samples.samples]
    assert stratified(RunSamples([*samples.samples, *copies]), 1000) == samples


def test_a_validation_set_of_the_users_keeps_its_share() -> None:
    """It is what heads are scored on."""
    train = [sample("a", number) for number in range(60)]
    val = [sample("a", number, "val", given=True) for number in range(100, 140)]
    chosen = stratified(RunSamples([*train, *val]), 50)
    assert Counter(each.split for each in chosen.samples) == {"train": 30, "val": 20}

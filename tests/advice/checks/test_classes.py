"""Classes as a whole, from their counts: too few pictures, far fewer than the largest, names spelt nearly alike."""

from __future__ import annotations

from transfer_core.advice.checks.classes import class_findings
from transfer_core.data.samples import ClassCount


def counts(**totals: int) -> list[ClassCount]:
    return [ClassCount(label, total, 0, 0, total, 0) for label, total in totals.items()]


def told(*classes: ClassCount) -> dict[str, list[tuple[str | None, str | None]]]:
    return {finding.check: [(item.label, item.to) for item in finding.items] for finding in class_findings(classes)}


def test_even_classes_have_none() -> None:
    assert told(*counts(cat=40, dog=60, bird=25)) == {} and told() == {}


def test_too_few_pictures() -> None:
    assert told(*counts(cat=40, dog=9, bird=3)) == {"few-pictures": [("bird", None), ("dog", None)]}


def test_a_tenth_of_the_largest_is_too_little_beside_it() -> None:
    assert told(*counts(cat=1000, dog=100, bird=101)) == {"imbalance": [("dog", None)]}
    assert told(*counts(cat=1000, dog=900, bird=12)) == {"imbalance": [("bird", None)]}


def test_names_spelt_nearly_alike_are_to_be_merged_into_the_larger() -> None:
    classes = [ClassCount(label, total, 0, 0, total, 0) for label, total in {"Red rose": 20, "red_rose": 50, "rose": 30}.items()]
    assert told(*classes) == {"alike-names": [("Red rose", "red_rose")]}


def test_names_of_signs_alone_are_not_alike() -> None:
    classes = [ClassCount(label, 20, 0, 0, 20, 0) for label in ("+", "-", "猫", "狗")]
    assert told(*classes) == {}

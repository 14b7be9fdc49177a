"""Shortcuts: a trait that one class alone has is told, one that others share or that chance made is not."""

from __future__ import annotations

import numpy as np

from transfer_core.metrics.shortcuts import shortcuts

LABELS = np.repeat(np.arange(3), 40)
HALVES = np.arange(120) % 2 == 0


def test_a_text_that_one_class_alone_has_gives_it_away() -> None:
    formats = np.where(LABELS == 1, "PNG", "JPEG")
    (found,) = shortcuts(formats, LABELS, HALVES)
    assert (found.label, found.share.accuracy, found.others.accuracy) == (1, 1.0, 0.0)


def test_a_text_that_two_classes_share_does_not() -> None:
    assert not shortcuts(np.where(LABELS == 0, "PNG", "JPEG")[::-1], np.where(LABELS == 2, 0, LABELS), HALVES)
    assert not shortcuts(np.full(120, "JPEG"), LABELS, HALVES)


def test_a_floor_a_ceiling_and_a_band_are_found() -> None:
    generator = np.random.default_rng(0)
    for low, high in ((900, 1000), (1, 90), (400, 500)):
        usual = generator.choice([generator.uniform(110, 390, 120), generator.uniform(510, 890, 120)], axis=0)
        numbers = np.where(LABELS == 2, generator.uniform(low, high, 120), usual)
        assert [each.label for each in shortcuts(numbers, LABELS, HALVES)] == [2]


def test_a_background_of_one_colour_is_found() -> None:
    generator = np.random.default_rng(0)
    colours = generator.uniform(0, 255, (120, 3))
    colours[LABELS == 0] = generator.normal((20, 200, 30), 6, (40, 3))
    assert [each.label for each in shortcuts(colours, LABELS, HALVES)] == [0]


def test_chance_makes_none() -> None:
    for seed in range(50):
        generator = np.random.default_rng(seed)
        labels = generator.integers(0, 8, 60)
        for trait in (generator.normal(size=60), generator.uniform(0, 255, (60, 3)), generator.choice(["a", "b", "c"], 60)):
            assert not shortcuts(trait, labels, generator.random(60) < 0.5)


def test_too_few_pictures_say_nothing() -> None:
    labels = np.repeat(np.arange(2), 4)
    assert not shortcuts(np.where(labels == 1, "PNG", "JPEG"), labels, np.arange(8) % 2 == 0)

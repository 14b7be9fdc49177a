"""What heads say of pictures they had not seen: nobody is judged by a head that learnt from its own group, in parts as in one go."""

from __future__ import annotations

import numpy as np
import pytest

from transfer_core.advice import opinions
from transfer_core.advice.opinions import out_of_fold


def two_clouds(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    return (generator.normal(size=(count, 8)) + 3 * np.eye(8)[labels]).astype(np.float32), labels


def test_most_are_recognised_and_rows_are_probabilities() -> None:
    features, labels = two_clouds(100)
    found = out_of_fold(features, labels, np.arange(100), 2)
    assert found.shape == (100, 2) and found.sum(1) == pytest.approx(np.ones(100))
    assert (found.argmax(1) == labels).mean() > 0.9


def test_copies_with_one_wrong_label_do_not_back_each_other() -> None:
    generator = np.random.default_rng(1)
    features, labels = two_clouds(60)
    # Ten copies in a corner of their own, all labelled 1: together they would teach that corner.
    corner = np.tile(generator.normal(size=8) * 4 + 3 * np.eye(8)[0], (10, 1)).astype(np.float32)
    features, labels = np.concatenate([features, corner]), np.concatenate([labels, np.ones(10, int)])
    apart = out_of_fold(features, labels, np.arange(70), 2)[60:, 1].mean()
    together = out_of_fold(features, labels, np.r_[np.arange(60), np.full(10, 60)], 2)[60:, 1].mean()
    assert apart > 0.8 and together < apart - 0.2


def test_the_only_group_of_a_class_is_not_called_wrong() -> None:
    features, labels = two_clouds(40)
    labels[:3] = 2
    groups = np.r_[np.zeros(3, int), np.arange(1, 38)]
    found = out_of_fold(features, labels, groups, 3)
    assert found[:3].tolist() == [[0, 0, 1]] * 3


def test_many_are_judged_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    features, labels = two_clouds(300)
    monkeypatch.setattr(opinions, "PART", 100)
    told: list[tuple[int, int]] = []
    found = out_of_fold(features, labels, np.arange(300), 2, progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert (found.argmax(1) == labels).mean() > 0.9

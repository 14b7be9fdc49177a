"""Curves of a run that trains more than once: no line joins the end of one training to the beginning of the next."""

from __future__ import annotations

from typing import Any

from pages.ui import charts


def epochs(*trainings: list[float | None]) -> list[dict[str, Any]]:
    """Epochs as a reader of events has them: those of a training tell how many were before it."""
    before = [sum(map(len, trainings[:place])) for place in range(len(trainings))]
    return [
        {"val_loss": loss, "epochs_before": count} for count, losses in zip(before, trainings, strict=True) for loss in losses
    ]


def test_a_gap_parts_two_trainings() -> None:
    told = epochs([0.9, 0.5], [0.8, 0.4])
    assert charts._by_training(list(enumerate(told, 1)), "val_loss") == ([1, 2, None, 3, 4], [0.9, 0.5, None, 0.8, 0.4])
    assert charts._beginnings(told) == [3]


def test_a_training_without_values_leaves_a_gap() -> None:
    """The second training of better has nothing to be checked on; best's first comes after it."""
    told = epochs([0.9, 0.5], [None, None], [0.7])
    assert charts._by_training(list(enumerate(told, 1)), "val_loss") == ([1, 2, None, 5], [0.9, 0.5, None, 0.7])
    assert charts._beginnings(told) == [3, 5]


def test_epochs_told_before_there_were_trainings_are_one_line() -> None:
    """Runs of older versions say nothing of trainings."""
    told = [{"val_loss": 0.9}, {"val_loss": 0.5}]
    assert charts._by_training(list(enumerate(told, 1)), "val_loss") == ([1, 2], [0.9, 0.5])
    assert charts._beginnings(told) == []

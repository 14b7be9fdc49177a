from __future__ import annotations

import numpy as np
import torch

from transfer_core.training.balance import balanced_order, class_weights, shuffled

LABELS = np.array([0] * 90 + [1] * 10)


def test_weights_make_classes_count_alike() -> None:
    """Each class weighs as much in all, and the mean over pictures is one, so that the rate means what it did."""
    weights = class_weights(LABELS, 3)
    assert torch.isclose(weights[0] * 90, weights[1] * 10) and torch.isfinite(weights).all()
    assert np.isclose(weights.numpy()[LABELS].mean(), 1.0)


def test_sampling_shows_classes_alike() -> None:
    """Half of what is shown is of the small class, and an epoch is as long as before."""
    order = balanced_order(LABELS, torch.Generator().manual_seed(0))
    assert len(order) == 100 and 35 < (LABELS[order] == 1).sum() < 65


def test_an_epoch_sees_every_picture_once() -> None:
    """Each once, and drawn from the generator alone."""
    order = shuffled(23, torch.Generator().manual_seed(1))
    assert sorted(order) == list(range(23))
    assert np.array_equal(order, shuffled(23, torch.Generator().manual_seed(1)))
    assert not np.array_equal(order, shuffled(23, torch.Generator().manual_seed(2)))

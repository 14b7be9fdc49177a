"""What heads say of pictures they had not seen: the probabilities that likely wrong labels are told from."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from transfer_core.features.logistic import STRENGTHS, fit_logistic
from transfer_core.metrics.calibration import softmax
from transfer_core.metrics.outliers import Rows

FOLDS = 5
# Heads of more pictures than these are hardly better judges, and the time grows with them: more are judged in parts.
PART = 10_000


def out_of_fold(
    features: Rows,
    labels: NDArray[np.integer],
    groups: NDArray[np.integer],
    classes: int,
    seed: int = 0,
    checkpoint: Callable[[], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> NDArray[np.float64]:
    """Calibrated probabilities `[N, classes]` of each picture by logistic heads that saw none of its group.

    `features [N, D]`, `labels [N]`, `groups [N]` numbers: pictures of one group are in one fold. A picture whose class no other group has
    could only be called wrong: its row is one for its own class. Time and memory as `fit_logistic`, for at most `PART` pictures at once.
    """
    own = np.asarray(labels, np.int64)
    together = np.asarray(groups, np.int64)
    probabilities = np.eye(classes)[own]
    strengths: tuple[float, ...] = STRENGTHS
    parts = _parts(own, together, seed)
    for number, part in enumerate(parts):
        folds = _folds(own[part], together[part], seed)
        if not (folds >= 0).any():
            continue
        fit = fit_logistic(
            torch.from_numpy(np.asarray(features[part], np.float32)),
            torch.from_numpy(own[part]),
            classes,
            torch.from_numpy(folds),
            strengths,
            refit=False,
            checkpoint=checkpoint,
        )
        strengths = fit.strengths[fit.chosen : fit.chosen + 1]  # what suits one part suits the others
        judged = folds >= 0
        probabilities[part[judged]] = softmax(fit.out_of_fold.numpy()[judged], fit.temperature)
        if progress:
            progress(number + 1, len(parts))
    return probabilities


def _parts(labels: NDArray[np.int64], groups: NDArray[np.int64], seed: int) -> list[NDArray[np.int64]]:
    """Positions in parts of about equal size, no more than `PART` but for large groups; every class in each, groups whole."""
    count = -(-len(labels) // PART)
    part_of = _dealt(labels, groups, count, seed)
    return [np.flatnonzero(part_of == number) for number in range(count)]


def _folds(labels: NDArray[np.int64], groups: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """The fold `[N]` that holds each picture out; -1 where that would leave none of its class to learn from."""
    folds = _dealt(labels, groups, FOLDS, seed)
    for label in np.unique(labels):
        own = labels == label
        if len(np.unique(folds[own])) < 2:
            folds[own] = -1
    return folds


def _dealt(labels: NDArray[np.int64], groups: NDArray[np.int64], hands: int, seed: int) -> NDArray[np.int64]:
    """Groups dealt out evenly, class by class, in a random order; a group goes with the class of its first picture."""
    names, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    shuffled = np.random.default_rng(seed).permutation(len(names))
    order = shuffled[np.argsort(labels[first[shuffled]], kind="stable")]
    hand = np.empty(len(names), np.int64)
    hand[order] = np.arange(len(names)) % hands
    return np.asarray(hand[inverse], np.int64)

"""Folds for cross-validation: stratified by class, groups together."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from transfer_core.data.split import MOST_CROSS_VALIDATED
from transfer_core.training.samples import RunSamples

FOLDS = 5


def assign_folds(samples: RunSamples, seed: int) -> NDArray[np.int64]:
    """The fold that holds each sample out, 0 to 4; -1 for those that are in every training set.

    A validation set given by the user is the only fold; with many samples so is the project's validation split. A class with
    a single picture is never held out.
    """
    if samples.validation_given or len(samples) > MOST_CROSS_VALIDATED:
        return np.array([0 if sample.split == "val" else -1 for sample in samples.samples], dtype=np.int64)
    groups: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    label_of_group: dict[str, str] = {}
    for number, sample in enumerate(samples.samples):
        group = sample.group or sample.content
        label = label_of_group.setdefault(group, sample.label)
        groups[label][group].append(number)
    folds = np.full(len(samples), -1, dtype=np.int64)
    generator = np.random.default_rng(seed)
    start = 0
    for label in sorted(groups):
        members = [groups[label][group] for group in sorted(groups[label])]
        if len(members) < 2:
            continue
        for place, group in enumerate(generator.permutation(len(members))):
            folds[members[group]] = (start + place) % FOLDS
        # Each class begins where the last one ended, so that small classes don't all fall into the first folds.
        start += len(members)
    return folds


def holds_out(folds: NDArray[np.int64]) -> bool:
    """Whether there is any sample to score."""
    return bool((folds >= 0).any())

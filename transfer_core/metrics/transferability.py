"""How well a frozen backbone's features fit labels, told without training: LogME and leave-one-out nearest neighbours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer_core.metrics.intervals import Score, wilson
from transfer_core.metrics.novelty import unit

Matrix = NDArray[np.float64]
Eigh = Callable[[Matrix], tuple[Any, Any]]

NEIGHBOURS = 5
STEPS = 11
CONVERGED = 1e-3  # relative change of alpha / beta at which a class is done
EPSILON = 1e-5  # added to what is divided by, as the authors do: the value of a perfect fit depends on it
BLOCK = 256  # rows compared with all others at once: 1 MB of similarities for 1,000 pictures


def log_evidence(features: NDArray[np.floating], labels: NDArray[np.integer], eigh: Eigh = np.linalg.eigh) -> float:
    """LogME: the largest log-evidence of a Bayesian linear model for each class against the rest, a sample, averaged over classes.

    `features [N, D]` finite floats, `labels [N]`; a class without samples does not count. Higher is better, and values compare
    between backbones of any width on the same samples. You et al., LogME: Practical Assessment of Pre-trained Models for Transfer Learning
    (ICML 2021); the fixed point of their Ranking and Tuning Pre-trained Models (2021), as in thuml/LogME.

    Where the rank k of the features is below D, the authors' code counts D - k times log(alpha) / 2 that the determinant over all D
    directions cancels (thuml/LogME issue 23); here it is cancelled, as in their first version, so the values are those of that one.
    Raises ValueError for features that are not finite or do not match the labels. Time: one eigendecomposition of the smaller side,
    by `eigh`.
    """
    rows = np.asarray(features, np.float64)
    labels = np.asarray(labels)
    _check(rows, labels)
    found, numbers = np.unique(labels, return_inverse=True)
    targets = np.eye(len(found))[numbers]
    spectrum, projected = _projected(rows, targets, eigh)
    outside = np.maximum((targets**2).sum(0) - projected.sum(0), 0)
    return float(_evidence(spectrum[:, None], projected, outside, len(rows)).mean())


def _check(features: NDArray[np.floating], labels: NDArray[np.integer]) -> None:
    if features.ndim != 2 or labels.shape != features.shape[:1] or not len(labels):
        raise ValueError(f"expected features [N, D] and labels [N], got {features.shape} and {labels.shape}")
    if not np.isfinite(features).all():
        raise ValueError("features must be finite")


def _projected(features: Matrix, targets: Matrix, eigh: Eigh) -> tuple[Matrix, Matrix]:
    """Squared singular values `[k]` of `features`, and squared projections `[k, C]` of `targets` on their left directions."""
    count, width = features.shape
    wide = count <= width
    values, vectors = eigh(features @ features.T if wide else features.T @ features)
    keep = values > values[-1] * max(count, width) * np.finfo(np.float64).eps
    spectrum, directions = values[keep], vectors[:, keep]
    if wide:
        return spectrum, (directions.T @ targets) ** 2
    return spectrum, (directions.T @ (features.T @ targets)) ** 2 / spectrum[:, None]


def _evidence(spectrum: Matrix, projected: Matrix, outside: Matrix, count: int) -> Matrix:
    """The evidence a sample `[C]` at the fixed point of alpha and beta, of all classes at once.

    `spectrum [k, 1]`, `projected [k, C]`, `outside [C]`: what of the targets no features reach.
    """
    classes = projected.shape[1]
    evidence, ratio = np.zeros(classes), np.ones(classes)  # ratio: alpha / beta
    going = np.full(classes, len(spectrum) > 0)
    if not going.any():  # the features are all zero, and only the noise is left to fit
        precision = count / (outside + EPSILON)
        return (np.log(precision) - precision / count * outside - np.log(2 * np.pi)) / 2
    for _step in range(STEPS):
        shrunk = spectrum + ratio[going]
        used = (spectrum / shrunk).sum(0)
        weights = (spectrum * projected[:, going] / shrunk**2).sum(0)
        residual = (projected[:, going] * (ratio[going] / shrunk) ** 2).sum(0) + outside[going]
        alpha, beta = used / (weights + EPSILON), (count - used) / (residual + EPSILON)
        evidence[going] = (
            count * np.log(beta)
            - np.log1p(spectrum * (beta / alpha)).sum(0)
            - beta * residual
            - alpha * weights
            - count * np.log(2 * np.pi)
        ) / (2 * count)
        change = np.abs(alpha / beta - ratio[going]) / ratio[going]
        ratio[going] = alpha / beta
        going[going] = change > CONVERGED
        if not going.any():
            break
    return evidence


def nearest_neighbours(features: NDArray[np.floating], labels: NDArray[np.integer], near: int = NEIGHBOURS) -> Score | None:
    """How often the `near` most similar other samples (cosine) vote for the right class, with its interval; None for fewer than 2.

    `features [N, D]`, `labels [N]` integers from 0; the more similar side wins a tied vote. The same sample twice would answer for
    itself: leave duplicates out. "k-NN as a simple and effective estimator of transferability" (2025) finds it ahead of 23 scores.
    Raises ValueError as `log_evidence` does. Memory: `BLOCK` rows of similarities.
    """
    labels = np.asarray(labels)
    _check(np.asarray(features), labels)
    near = min(near, len(labels) - 1)
    if near < 1:
        return None
    rows = unit(np.asarray(features, np.float32))
    correct = 0
    for start in range(0, len(rows), BLOCK):
        block = np.arange(start, min(start + BLOCK, len(rows)))
        similar = rows[block] @ rows.T
        similar[np.arange(len(block)), block] = -np.inf
        nearest = np.argpartition(similar, len(rows) - near, axis=1)[:, len(rows) - near :]
        votes = np.zeros((len(block), int(labels.max()) + 1))
        # A similarity is at most 1, so all of them together weigh less than one vote.
        weight = 1 + np.take_along_axis(similar, nearest, 1) / (4 * near)
        np.add.at(votes, (np.arange(len(block))[:, None], labels[nearest]), weight)
        correct += int((votes.argmax(1) == labels[block]).sum())
    return wilson(correct, len(rows))

"""Temperature: one number that makes confidences as large as they are right."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FLOATS = NDArray[np.floating]
LOWEST, HIGHEST = 0.05, 20.0


def fit_temperature(logits: FLOATS, labels: NDArray[np.integer]) -> float:
    """The T that minimises the cross-entropy of `softmax(logits / T)` on samples the head has not seen; logits `[n, classes]`.

    Guo et al., On calibration of modern neural networks (2017). A normal prior of width 1 on log T, worth less than one sample, keeps T
    finite where the samples are few or all answered rightly. Golden-section search: the function is unimodal in log T.
    """
    if len(labels) == 0:
        return 1.0
    logits = np.asarray(logits, np.float64)
    low, high = np.log(LOWEST), np.log(HIGHEST)
    ratio = (np.sqrt(5) - 1) / 2
    while high - low > 1e-4:
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        if _loss(logits, labels, left) < _loss(logits, labels, right):
            high = right
        else:
            low = left
    return float(np.exp((low + high) / 2))


def softmax(logits: FLOATS, temperature: float = 1.0) -> NDArray[np.float64]:
    """Probabilities `[..., classes]` of `logits / temperature`."""
    scaled = np.asarray(logits, np.float64) / temperature
    scaled = np.exp(scaled - scaled.max(-1, keepdims=True))
    return np.asarray(scaled / scaled.sum(-1, keepdims=True))


def cross_entropy(logits: FLOATS, labels: NDArray[np.integer], temperature: float = 1.0) -> float:
    """Mean negative log-probability of the right class, in nats."""
    scaled = np.asarray(logits, np.float64) / temperature
    top = scaled.max(1)
    normaliser = np.log(np.exp(scaled - top[:, None]).sum(1)) + top
    return float((normaliser - scaled[np.arange(len(labels)), labels]).mean())


def _loss(logits: FLOATS, labels: NDArray[np.integer], log_temperature: float) -> float:
    return cross_entropy(logits, labels, float(np.exp(log_temperature))) * len(labels) + log_temperature**2 / 2

"""Classes with few pictures: each of theirs counts more, or is shown more often."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def class_weights(labels: NDArray[np.int64], classes: int) -> Tensor:
    """A weight for each class `[classes]`, in inverse proportion to its pictures; over the pictures their mean is 1."""
    counts = np.bincount(labels, minlength=classes)
    weights = len(labels) / (np.count_nonzero(counts) * np.maximum(counts, 1))
    return torch.from_numpy(weights.astype(np.float32))


def balanced_order(labels: NDArray[np.int64], generator: torch.Generator) -> NDArray[np.int64]:
    """As many places as there are pictures, drawn with every class as likely: of a small one the same picture several times."""
    counts = np.bincount(labels)
    chances = torch.from_numpy(1.0 / counts[labels])
    return torch.multinomial(chances, len(labels), replacement=True, generator=generator).numpy()


def shuffled(count: int, generator: torch.Generator) -> NDArray[np.int64]:
    """The places 0 to `count`, each once."""
    return torch.randperm(count, generator=generator).numpy()

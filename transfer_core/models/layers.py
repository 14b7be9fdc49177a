"""A head as a short list of layers: what NumPy computes while a run is scored is what the exported graph computes afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Linear:
    """`weight [out, in]` and `bias [out]`."""

    weight: Floats
    bias: Floats

    def apply(self, rows: Floats) -> Floats:
        """`[n, in]` to `[n, out]`."""
        return np.asarray(rows @ self.weight.T + self.bias)


@dataclass(frozen=True)
class Centre:
    """Takes away `mean [width]`."""

    mean: Floats

    def apply(self, rows: Floats) -> Floats:
        """`[n, width]` to the same."""
        return np.asarray(rows - self.mean)


@dataclass(frozen=True)
class Normalise:
    """Rows at length 1; a row of zeros stays."""

    def apply(self, rows: Floats) -> Floats:
        """`[n, width]` to the same."""
        return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), LEAST))


@dataclass(frozen=True)
class Rectify:
    """Negative values become zero (ReLU)."""

    def apply(self, rows: Floats) -> Floats:
        """`[n, width]` to the same."""
        return np.maximum(rows, 0)


Layer = Linear | Centre | Normalise | Rectify
LEAST = np.float32(1e-12)


def apply(layers: Sequence[Layer], features: Floats) -> Floats:
    """Logits `[n, classes]` of features `[n, width]`."""
    for layer in layers:
        features = layer.apply(features)
    return features


def at_temperature(layers: Sequence[Layer], temperature: float) -> list[Layer]:
    """The same layers with logits divided by the temperature; a head ends with a linear layer."""
    last = layers[-1]
    if not isinstance(last, Linear):
        raise TypeError(f"a head ends with a linear layer, got {type(last).__name__}")
    return [*layers[:-1], Linear(last.weight / temperature, last.bias / temperature)]

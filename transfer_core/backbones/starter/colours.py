"""Random colours and blends for batches of training pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

BLENDED_SHARE = 0.4  # share of a batch that is blended with another picture
TINTED_SHARE = 0.4  # share of grey pictures that are given colours

_YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])


def change_colours(pictures: Tensor, generator: np.random.Generator) -> Tensor:
    """Random brightness, contrast, saturation and hue per picture, and random tints for grey ones; 0 to 1 in, near that out."""
    count = len(pictures)

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return _tensor(generator.uniform(low, high, (count, *shape)), pictures)

    # Half of the free pictures are grey: giving their darks and lights two random colours makes up for it.
    grey = (pictures.amax(1) - pictures.amin(1)).amax((1, 2)) < 0.02
    dark, light = uniform(0, 0.6, 3, 1, 1), uniform(0.4, 1, 3, 1, 1)
    tinted = dark + (light - dark) * pictures
    chosen = grey & (uniform(0, 1) < TINTED_SHARE)
    pictures = torch.where(chosen[:, None, None, None], tinted, pictures)

    matrices = _tensor(_colour_matrices(count, generator), pictures)
    pictures = torch.einsum("bij,bjhw->bihw", matrices, pictures)
    mean = pictures.mean((1, 2, 3), keepdim=True)
    contrast, brightness = uniform(0.7, 1.35, 1, 1, 1), uniform(-0.15, 0.15, 1, 1, 1)
    pictures = (pictures - mean) * contrast + mean + brightness
    return pictures.clamp(0, 1)


def _colour_matrices(count: int, generator: np.random.Generator) -> NDArray[np.float64]:
    """Matrices on RGB that turn the hue and scale the saturation in YIQ, then scale each channel: (count, 3, 3)."""
    angle = generator.normal(0, 0.15, count)
    # One in sixteen turns its colours far round, so that a colour stops being proof of a thing.
    angle = np.where(generator.random(count) < 0.0625, generator.uniform(-np.pi, np.pi, count), angle)
    saturation = generator.uniform(0.5, 1.4, count)
    turn = np.zeros((count, 3, 3))
    turn[:, 0, 0] = 1
    turn[:, 1, 1] = turn[:, 2, 2] = saturation * np.cos(angle)
    turn[:, 1, 2], turn[:, 2, 1] = -saturation * np.sin(angle), saturation * np.sin(angle)
    channels = generator.uniform(0.85, 1.15, (count, 3, 1))
    return np.asarray(channels * (np.linalg.inv(_YIQ) @ turn @ _YIQ))


def blend(pictures: Tensor, generator: np.random.Generator) -> Tensor:
    """Blends part of the batch with shuffled others: evenly (mixup, 1710.09412) or through soft random shapes."""
    count, _, height, width = pictures.shape
    partners = pictures[torch.from_numpy(generator.permutation(count)).to(pictures.device)]
    noise = _tensor(generator.standard_normal((count, 1, 5, 5)), pictures)
    shapes = functional.interpolate(noise, size=(height, width), mode="bicubic", align_corners=False)
    sharpness = _tensor(np.exp(generator.uniform(np.log(0.05), np.log(30), (count, 1, 1, 1))), pictures)
    shift = _tensor(generator.normal(0, 0.7, (count, 1, 1, 1)), pictures)
    # Low sharpness gives an even blend, high sharpness an outline: the other picture seems to lie on top.
    even = _tensor(generator.uniform(-2, 2, (count, 1, 1, 1)), pictures)
    mask = torch.sigmoid((shapes + shift) * sharpness + even)
    blended = _tensor(generator.random((count, 1, 1, 1)) < BLENDED_SHARE, pictures) > 0
    return torch.where(blended, mask * pictures + (1 - mask) * partners, pictures)


def _tensor(values: NDArray[Any], like: Tensor) -> Tensor:
    """float32 on the device of `like`."""
    return torch.from_numpy(values.astype(np.float32)).to(like.device)

"""Each picture a little different every time: cropped, flipped and lit on whole batches as tensors."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

AREA = (0.35, 1.0)
ASPECT = (3 / 4, 4 / 3)
LIGHT = 0.2


def augment(squares: Tensor, crop: int, generator: torch.Generator) -> Tensor:
    """Random crops of `squares` uint8 `[N, R, R, 3]`, as float `[N, 3, crop, crop]` in 0..1.

    A crop covers 35 to 100 % of the square at an aspect of 3:4 to 4:3, is mirrored half of the time, and its brightness and contrast are
    multiplied by 0.8 to 1.2. `generator` lies on the CPU, so that every device draws the same.
    """
    return take(squares, crop, draw(len(squares), generator))


def draw(count: int, generator: torch.Generator) -> Tensor:
    """What is done to each of `count` pictures: `[count, 7]`, for `take`."""

    def uniform(low: float, high: float) -> Tensor:
        return torch.empty(count).uniform_(low, high, generator=generator)

    area = uniform(*AREA)
    aspect = torch.exp(uniform(math.log(ASPECT[0]), math.log(ASPECT[1])))
    width, height = (area * aspect).sqrt().clamp(max=1), (area / aspect).sqrt().clamp(max=1)
    left, top = uniform(-1, 1) * (1 - width), uniform(-1, 1) * (1 - height)
    mirror = torch.where(uniform(0, 1) < 0.5, -1.0, 1.0)
    brightness, contrast = uniform(1 - LIGHT, 1 + LIGHT), uniform(1 - LIGHT, 1 + LIGHT)
    return torch.stack([width, height, left, top, mirror, brightness, contrast], 1)


def take(squares: Tensor, crop: int, drawn: Tensor) -> Tensor:
    """Crops of `squares` uint8 `[N, R, R, 3]` as `drawn [N, 7]` says, float `[N, 3, crop, crop]` in 0..1."""
    count = len(squares)
    width, height, left, top, mirror = drawn[:, :5].unbind(1)
    zero = torch.zeros(count)
    place = torch.stack([torch.stack([width * mirror, zero, left], 1), torch.stack([zero, height, top], 1)], 1).to(squares.device)
    pixels = squares.permute(0, 3, 1, 2).float().div_(255)
    grid = functional.affine_grid(place, [count, 3, crop, crop], align_corners=False)
    pixels = functional.grid_sample(pixels, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    brightness, contrast = (column.view(-1, 1, 1, 1).to(squares.device) for column in drawn[:, 5:].unbind(1))
    middle = pixels.mean((1, 2, 3), keepdim=True)
    return ((pixels - middle) * contrast + middle).mul_(brightness).clamp_(0, 1)


def plain(squares: Tensor, crop: int) -> Tensor:
    """The central crops of `squares` uint8 `[N, R, R, 3]`, as float `[N, 3, crop, crop]` in 0..1: what prediction sees."""
    start = (squares.shape[1] - crop) // 2
    centre = squares[:, start : start + crop, start : start + crop]
    return centre.permute(0, 3, 1, 2).float().div_(255)

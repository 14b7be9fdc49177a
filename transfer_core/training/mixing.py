"""Mixing the pictures of a batch, and their labels alike: mixup and cutmix."""

from __future__ import annotations

import torch
from torch import Tensor

from transfer_core.training.settings import RunSettings


def mix(pictures: Tensor, labels: Tensor, settings: RunSettings, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Pictures `[n, 3, h, w]` and shares of classes `[n, classes]`, mixed as the settings say.

    Where both ways are wanted, each is taken half of the time.
    """
    ways = [(way, alpha) for way, alpha in ((mixup, settings.mixup), (cutmix, settings.cutmix)) if alpha > 0]
    if not ways or len(pictures) < 2:
        return pictures, labels
    way, alpha = ways[int(torch.randint(len(ways), (1,), generator=generator))]
    return way(pictures, labels, _share(alpha, generator), torch.randperm(len(pictures), generator=generator), generator)


def mixup(pictures: Tensor, labels: Tensor, share: float, partner: Tensor, _generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Each picture with `share` of itself and the rest of its partner (Zhang et al., 2018)."""
    partner = partner.to(pictures.device)
    return torch.lerp(pictures[partner], pictures, share), torch.lerp(labels[partner], labels, share)


def cutmix(pictures: Tensor, labels: Tensor, share: float, partner: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """A rectangle of the partner's, `1 - share` of the area, in each; labels by what is to be seen (Yun et al., 2019)."""
    partner = partner.to(pictures.device)
    height, width = pictures.shape[-2:]
    top, bottom = _span(height, share, generator)
    left, right = _span(width, share, generator)
    mixed = pictures.clone()
    mixed[..., top:bottom, left:right] = pictures[partner][..., top:bottom, left:right]
    own = 1 - (bottom - top) * (right - left) / (height * width)
    return mixed, torch.lerp(labels[partner], labels, own)


def _span(side: int, share: float, generator: torch.Generator) -> tuple[int, int]:
    half = side * (1 - share) ** 0.5 / 2
    middle = float(torch.rand(1, generator=generator)) * side
    return max(0, round(middle - half)), min(side, round(middle + half))


def _share(alpha: float, generator: torch.Generator) -> float:
    """From Beta(alpha, alpha), by the generator: two gammas would need NumPy's, so it is found by rejection (Johnk, 1964)."""
    while True:
        one, two = (torch.rand(2, generator=generator, dtype=torch.float64) ** (1 / alpha)).tolist()
        if 0 < one + two <= 1:
            return float(one / (one + two))

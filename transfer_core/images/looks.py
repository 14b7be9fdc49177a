"""How pictures look, changed for each in its own way: colour, light, sharpness, noise, a blank. On whole batches as tensors.

Pictures are float `[N, 3, S, S]`; what is done to each, `[N]`, lies on the CPU. Values may leave 0..1: clamped once, at the end.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

# Brightness and two axes of colour: the YIQ of NTSC. Hue is the angle between the axes, saturation the distance from grey.
_YIQ = torch.tensor([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
_MIX = 0x45D9F3B


def recoloured(pictures: Tensor, saturation: Tensor, hue: Tensor) -> Tensor:
    """Saturation multiplied, 0 for grey; `hue` is added, in turns of the circle of colours."""
    none, angle = torch.zeros_like(hue), 2 * math.pi * hue
    cosine, sine = saturation * angle.cos(), saturation * angle.sin()
    rows = [(torch.ones_like(hue), none, none), (none, cosine, sine), (none, -sine, cosine)]
    turn = torch.stack([torch.stack(row, 1) for row in rows], 1)
    matrices = (torch.linalg.inv(_YIQ) @ turn @ _YIQ).to(pictures.device)
    return torch.bmm(matrices, pictures.flatten(2)).view_as(pictures)


def relit(pictures: Tensor, brightness: Tensor, contrast: Tensor) -> None:
    """In place: contrast around each picture's mean, then brightness, multiplied."""
    middle = pictures.mean((1, 2, 3), keepdim=True)
    pictures.sub_(middle).mul_(_each(contrast, pictures)).add_(middle).mul_(_each(brightness, pictures))


def blurred(pictures: Tensor, sigma: Tensor) -> None:
    """In place: those with a `sigma` above 0, in pixels, lose their sharpness; at the rim they go on as their reflection."""
    which = sigma.nonzero().flatten()
    if not len(which):
        return
    size = pictures.shape[-1]
    radius = min(math.ceil(3 * float(sigma.max())), size - 1)
    line = torch.arange(-radius, radius + 1)
    weights = torch.exp(-0.5 * (line / sigma[which, None]) ** 2)
    weights = (weights / weights.sum(1, keepdim=True)).repeat_interleave(3, 0).to(pictures.device)
    there = which.to(pictures.device)
    # As one picture of many channels, each with weights of its own.
    channels = functional.pad(pictures[there].flatten(0, 1)[None], [radius] * 4, mode="reflect")
    channels = functional.conv2d(channels, weights[:, None, None, :], groups=len(weights))
    channels = functional.conv2d(channels, weights[:, None, :, None], groups=len(weights))
    pictures[there] = channels.view(len(which), 3, size, size)


def add_noise(pictures: Tensor, strength: Tensor, seed: Tensor) -> None:
    """In place: noise of standard deviation `strength`, each value by itself; the same seed has the same noise on every device.

    A hash of the pixel's number and the seed, whose four bytes added up are close to normally distributed (Irwin and Hall, 1927): a
    generator of each device would draw its own, and the CPU's would have to send a batch of numbers over.
    """
    device = pictures.device
    mixed = torch.arange(pictures[0].numel(), dtype=torch.int32, device=device) ^ seed.to(torch.int32).to(device)[:, None] * _MIX
    for _round in range(2):
        mixed.bitwise_xor_((mixed >> 16).bitwise_and_(0xFFFF)).mul_(_MIX)
    mixed.bitwise_xor_((mixed >> 16).bitwise_and_(0xFFFF))
    # Two bytes and two bytes are added at once, and then these sums.
    halves = (mixed >> 8).bitwise_and_(0xFF00FF).add_(mixed.bitwise_and_(0xFF00FF))
    total = (halves >> 16).add_(halves.bitwise_and_(0xFFFF))
    deviation = math.sqrt(4 * (256**2 - 1) / 12)
    pictures.addcmul_((total - 510.0).view_as(pictures), _each(strength / deviation, pictures))


def erased(pictures: Tensor, rectangles: Tensor) -> None:
    """In place: `rectangles [N, 4]` (half width, half height, middle, in -1..1) become each picture's mean colour; of width 0, none."""
    which = rectangles[:, 0].nonzero().flatten()
    if not len(which):
        return
    size = pictures.shape[-1]
    line = ((torch.arange(size) + 0.5) * 2 / size - 1)[None]
    wanted = rectangles[which]
    across, down = ((line - wanted[:, 2 + axis, None]).abs() < wanted[:, axis, None] for axis in (0, 1))
    inside = (down[:, None, :, None] & across[:, None, None, :]).to(pictures.device)
    there = which.to(pictures.device)
    whole = pictures[there]
    pictures[there] = torch.where(inside, whole.mean((2, 3), keepdim=True), whole)


def _each(values: Tensor, pictures: Tensor) -> Tensor:
    return values.view(-1, 1, 1, 1).to(pictures.device)

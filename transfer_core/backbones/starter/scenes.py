"""Training pictures for the starter: crops of photographs, and scenes of cut-outs laid over them, made on the training device."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from transfer_core.backbones.starter.colours import blend, change_colours
from transfer_core.backbones.starter.pool import Pool

CROP_SIDE = (0.18, 1.0)  # side of a crop as a share of its tile's
CROP_ASPECT = (0.75, 4 / 3)  # width over height of a crop
SCENE_SHARE = 0.6  # share of pictures that have cut-outs in them
PLAIN_SHARE = 0.35  # share of scenes whose background is two colours running into each other
MOST_CUTOUTS = 3
CUTOUTS = (0.5, 0.3, 0.2)  # chances of one, two, three cut-outs
CUTOUT_SIDE = (0.25, 1.15)  # side of a cut-out as a share of the picture's
LIT_SHARE = 0.5  # share of cut-outs with light from one side
SHADOW_SHARE = 0.3  # share of cut-outs that throw a shadow
COARSE = 0.6  # a cut-out drawn at less of its size is halved first, so that its lines don't break up


class Scenes:
    """Batches of training pictures, each a function of the seed and the number of the batch alone, so that a resumed run repeats them."""

    def __init__(self, pool: Pool, seed: int, *, batch: int, pixels: int, blended: bool = True) -> None:
        """`pixels` is the side of a picture; without `blended`, no two are mixed."""
        self.pool, self.seed, self.batch, self.pixels, self.blended = pool, seed, batch, pixels, blended

    def __call__(self, number: int) -> Tensor:
        """The pictures of a batch: float32 (batch, 3, pixels, pixels) in 0 to 1, on the pool's device."""
        generator = np.random.default_rng([self.seed, 0, number])
        pictures = self._crops(generator)
        scenes = generator.random(self.batch) < SCENE_SHARE
        plain = np.flatnonzero(scenes & (generator.random(self.batch) < PLAIN_SHARE))
        if len(plain):
            pictures[self._numbers(plain)] = self._plain(generator, len(plain))
        counts = np.where(scenes, generator.choice(MOST_CUTOUTS, self.batch, p=CUTOUTS) + 1, 0)
        for layer in range(MOST_CUTOUTS):
            which = np.flatnonzero(counts > layer)
            if len(which):
                self._paste(generator, pictures, which)
        pictures = change_colours(pictures, generator)
        return blend(pictures, generator).clamp_(0, 1) if self.blended else pictures

    def _tensor(self, values: NDArray[Any]) -> Tensor:
        return torch.from_numpy(values.astype(np.float32)).to(self.pool.tiles.device)

    def _numbers(self, values: NDArray[Any]) -> Tensor:
        return torch.from_numpy(values).to(self.pool.tiles.device)

    def _crops(self, generator: Generator) -> Tensor:
        """A rectangle of a tile for each picture, resized, often mirrored, at times turned by a quarter."""
        tiles, count, size = self.pool.tiles, self.batch, self.pixels
        chosen = generator.choice(len(tiles), count, p=self.pool.chances)
        side = _log_uniform(generator, CROP_SIDE, count)
        aspect = _log_uniform(generator, CROP_ASPECT, count)
        lengths = [
            np.minimum(tiles.shape[-1] * side * factor, tiles.shape[-1]).astype(int) for factor in (aspect**-0.5, aspect**0.5)
        ]
        tops, lefts = ((generator.random(count) * (tiles.shape[-1] - length)).astype(int) for length in lengths)
        mirrored, turned = generator.random(count) < 0.5, generator.random(count) < 0.15
        pictures = torch.empty(count, 3, size, size, dtype=torch.float32, device=tiles.device)
        for number, (tile, top, left, height, width) in enumerate(zip(chosen, tops, lefts, *lengths, strict=True)):
            crop = tiles[tile, :, top : top + height, left : left + width][None]
            crop = crop if tiles.device.type == "cpu" else crop.float()  # processors resize bytes, and faster
            crop = functional.interpolate(crop, size=(size, size), mode="bilinear", antialias=True)[0]
            crop = crop.flip(2) if mirrored[number] else crop
            pictures[number] = crop.transpose(1, 2) if turned[number] else crop
        return pictures.div_(255)

    def _plain(self, generator: Generator, count: int) -> Tensor:
        """Two colours that run into each other, a third of them on white: (count, 3, size, size)."""
        one, other = (self._tensor(generator.random((count, 3, 1, 1))) for _ in range(2))
        white = self._tensor(generator.random((count, 1, 1, 1)) < 0.3) > 0
        one, other = torch.where(white, 1.0, one), torch.where(white, 0.9, other)
        share = (self._slope(generator.normal(0, 0.5, (count, 2))) + 0.5).clamp(0, 1)
        return one * share + other * (1 - share)

    def _slope(self, ways: NDArray[np.float64]) -> Tensor:
        """A plane through zero at the middle, that rises this much to the right and down: (count, 1, size, size)."""
        line = torch.linspace(-1, 1, self.pixels, device=self.pool.tiles.device)
        right, down = (self._tensor(ways[:, axis]).view(-1, 1, 1, 1) for axis in (0, 1))
        return right * line.view(1, 1, 1, -1) + down * line.view(1, 1, -1, 1)

    def _paste(self, generator: Generator, pictures: Tensor, which: NDArray[np.int64]) -> None:
        """Lay a cut-out over each of these pictures: of any size, turned, sheared, in other colours, lit, with a shadow."""
        count, size, cutouts = len(which), self.pixels, self.pool.cutouts
        chosen = generator.integers(0, len(cutouts), count)
        side = _log_uniform(generator, CUTOUT_SIDE, count)
        places = self._tensor(_places(generator, side))
        gains = self._tensor(np.exp(generator.normal(0, 0.15, (count, 3, 1, 1))))
        light = generator.normal(0, 0.25, (count, 2)) * (generator.random((count, 1)) < LIT_SHARE)
        shades = self._tensor((generator.random(count) < SHADOW_SHARE) * generator.uniform(0.2, 0.6, count)).view(-1, 1, 1, 1)
        falls = int(generator.integers(1, 7)), int(generator.integers(-5, 6))
        coarse = side * size < COARSE * cutouts.shape[-1]
        for halved in (False, True):
            part = np.flatnonzero(coarse == halved)
            if not len(part):
                continue
            rows, targets = self._numbers(part), self._numbers(which[part])
            drawn = cutouts[self._numbers(chosen[part])].float().div_(255)
            drawn[:, :3] *= drawn[:, 3:]  # so that what is transparent has no colour to bleed
            drawn = functional.avg_pool2d(drawn, 2) if halved else drawn
            grid = functional.affine_grid(places[rows], [len(part), 4, size, size], align_corners=False)
            laid = functional.grid_sample(drawn, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
            colours, opaque = laid[:, :3], laid[:, 3:]
            shadow = torch.roll(functional.avg_pool2d(opaque, 7, 1, 3), falls, (2, 3))
            lit = (1 + self._slope(light[part])).clamp(0.3, 1.7)
            below = pictures[targets] * (1 - shades[rows] * shadow)
            pictures[targets] = below * (1 - opaque) + (colours * gains[rows] * lit).clamp(0, 1)


def _log_uniform(generator: Generator, bounds: tuple[float, float], count: int) -> NDArray[np.float64]:
    return np.exp(generator.uniform(np.log(bounds[0]), np.log(bounds[1]), count))


def _places(generator: Generator, side: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each cut-out the affine map from the picture's coordinates to its own: (count, 2, 3)."""
    count = len(side)
    turn = np.where(generator.random(count) < 0.12, generator.uniform(-np.pi, np.pi, count), generator.normal(0, 0.2, count))
    aspect, shear = np.exp(generator.normal(0, 0.12, count)), generator.normal(0, 0.12, count)
    mirrored = np.where(generator.random(count) < 0.5, -1, 1)
    reach = np.clip(1.1 - 0.75 * side, 0.1, 0.9)  # large ones near the middle
    middle = generator.uniform(-reach, reach, (2, count)).T
    forth = np.empty((count, 2, 2))
    forth[:, 0, 0], forth[:, 0, 1] = np.cos(turn) * side * aspect * mirrored, (shear - np.sin(turn)) * side
    forth[:, 1, 0], forth[:, 1, 1] = np.sin(turn) * side * mirrored, np.cos(turn) * side / aspect
    back = np.linalg.inv(forth)
    return np.concatenate([back, -np.einsum("nij,nj->ni", back, middle)[..., None]], 2)

"""Each picture a little different every time it is shown, as its augmentation says: whole batches as tensors, on any device."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from transfer_core.images.augmentation import GENTLE, NONE, Augmentation
from transfer_core.images.looks import add_noise, blurred, erased, recoloured, relit

# Pictures a thread works on at once, on processors: what lies between two steps then stays in the cache, which halves the time of all.
TOGETHER = 2


class Drawn(NamedTuple):
    """What was drawn for `n` pictures, `[n]` each: the columns of what `draw` gives."""

    # Of the square, in -1..1: half the size of what is shown, and where its middle is.
    width: Tensor
    height: Tensor
    left: Tensor
    top: Tensor
    mirror: Tensor  # 1 or -1
    brightness: Tensor
    contrast: Tensor
    # From here on, drawn only where the augmentation has it.
    upright: Tensor  # 1 or -1
    angle: Tensor  # degrees, against the clock
    tilt_x: Tensor
    tilt_y: Tensor
    saturation: Tensor
    hue: Tensor  # turns of the circle of colours
    blur: Tensor  # standard deviation in pixels of a picture of 224; 0: none
    noise: Tensor  # standard deviation, in 0..1
    seed: Tensor  # of the noise: a whole number that a float32 holds
    # The rectangle that is blanked, as the first four; of width 0: none.
    erased_width: Tensor
    erased_height: Tensor
    erased_x: Tensor
    erased_y: Tensor


def augment(squares: Tensor, crop: int, generator: torch.Generator, augmentation: Augmentation = GENTLE) -> Tensor:
    """Random views of `squares` uint8 `[N, R, R, 3]`, as float `[N, 3, crop, crop]` in 0..1.

    `generator` lies on the CPU, so that every device draws the same.
    """
    return take(squares, crop, draw(len(squares), generator, augmentation), augmentation)


def draw(count: int, generator: torch.Generator, augmentation: Augmentation = GENTLE) -> Tensor:
    """What is done to each of `count` pictures: `[count, 20]`, the columns of `Drawn`, for `take`."""

    def uniform(low: float, high: float) -> Tensor:
        return torch.empty(count).uniform_(low, high, generator=generator)

    def heads(chance: float) -> Tensor:
        return uniform(0, 1) < chance

    one, none = torch.ones(count), torch.zeros(count)
    # These seven are drawn in any case, and others only where they are wanted: what GENTLE draws has been kept and recorded.
    area = uniform(augmentation.area, 1)
    aspect = torch.exp(uniform(math.log(1 / augmentation.aspect), math.log(augmentation.aspect)))
    width, height = (area * aspect).sqrt().clamp(max=1), (area / aspect).sqrt().clamp(max=1)
    left, top = uniform(-1, 1) * (1 - width), uniform(-1, 1) * (1 - height)
    mirrored, light = heads(0.5), augmentation.light
    mirror = torch.where(mirrored, -1.0, 1.0) if augmentation.mirror else one
    drawn = Drawn(
        width, height, left, top, mirror, uniform(1 - light, 1 + light), uniform(1 - light, 1 + light), one, *[none] * 12
    )
    drawn = drawn._replace(saturation=one)

    if augmentation.upside_down:
        drawn = drawn._replace(upright=torch.where(heads(0.5), -1.0, 1.0))
    if augmentation.quarter_turns:
        drawn = drawn._replace(angle=uniform(0, 4).floor().clamp(max=3) * 90)
    if augmentation.rotate:
        drawn = drawn._replace(angle=drawn.angle + uniform(-augmentation.rotate, augmentation.rotate))
    if (tilt := augmentation.perspective / 2) > 0:
        drawn = drawn._replace(tilt_x=uniform(-tilt, tilt), tilt_y=uniform(-tilt, tilt))
    if (colour := augmentation.colour) > 0:
        drawn = drawn._replace(saturation=uniform(1 - colour, 1 + colour), hue=uniform(-colour / 4, colour / 4))
    if augmentation.grey:
        drawn = drawn._replace(saturation=torch.where(heads(augmentation.grey), 0.0, drawn.saturation))
    if augmentation.blur:
        drawn = drawn._replace(blur=torch.where(heads(augmentation.blur), uniform(0.5, 2), 0.0))
    if augmentation.noise:
        drawn = drawn._replace(noise=uniform(0, augmentation.noise), seed=uniform(0, 2**24).floor())
    if augmentation.erase:
        # Random Erasing (Zhong et al., 2020), in torchvision's sizes and shapes.
        size, shape = uniform(0.02, 0.33), torch.exp(uniform(math.log(0.3), math.log(3.3)))
        wide, high = (size * shape).sqrt().clamp(max=1), (size / shape).sqrt().clamp(max=1)
        place = {"erased_x": uniform(-1, 1) * (1 - wide), "erased_y": uniform(-1, 1) * (1 - high)}
        drawn = drawn._replace(erased_width=torch.where(heads(augmentation.erase), wide, 0.0), erased_height=high, **place)
    return torch.stack(drawn, 1)


def take(squares: Tensor, crop: int, drawn: Tensor, augmentation: Augmentation = GENTLE) -> Tensor:
    """Views of `squares` uint8 `[N, R, R, 3]` as `drawn [N, 20]` with this `augmentation` says, float `[N, 3, crop, crop]` in 0..1."""
    if augmentation == NONE:
        return plain(squares, crop)
    if squares.device.type != "cpu":
        return _taken(squares, crop, drawn, augmentation)
    shown = torch.empty((len(squares), 3, crop, crop), memory_format=torch.channels_last)  # as pixels lie, and networks take them
    step = TOGETHER * torch.get_num_threads()
    for start in range(0, len(squares), step):
        part = slice(start, start + step)
        shown[part] = _taken(squares[part], crop, drawn[part], augmentation)
    return shown


def plain(squares: Tensor, crop: int) -> Tensor:
    """The central crops of `squares` uint8 `[N, R, R, 3]`, as float `[N, 3, crop, crop]` in 0..1: what prediction sees."""
    start = (squares.shape[1] - crop) // 2
    centre = squares[:, start : start + crop, start : start + crop]
    return centre.permute(0, 3, 1, 2).float().div_(255)


def _taken(squares: Tensor, crop: int, drawn: Tensor, augmentation: Augmentation) -> Tensor:
    """As `take`, all at once. What the augmentation lacks costs nothing."""
    columns = Drawn(*drawn.unbind(1))
    pixels = _moved(squares, crop, columns, augmentation) if augmentation.moves else plain(squares, crop).contiguous()
    if augmentation.colour or augmentation.grey:
        pixels = recoloured(pixels, columns.saturation, columns.hue)
    if augmentation.light:
        relit(pixels, columns.brightness, columns.contrast)
    if augmentation.blur:
        blurred(pixels, columns.blur * (crop / 224))
    if augmentation.noise:
        add_noise(pixels, columns.noise, columns.seed)
    if augmentation.erase:
        erased(pixels, torch.stack([columns.erased_width, columns.erased_height, columns.erased_x, columns.erased_y], 1))
    return pixels.clamp_(0, 1)


def _moved(squares: Tensor, crop: int, drawn: Drawn, augmentation: Augmentation) -> Tensor:
    """The pixels where the geometry puts them, all of it in one look at the square."""
    # Without cutting out, what is shown is what prediction sees; with it, up to the whole square.
    whole = 1.0 if augmentation.area < 1 else crop / squares.shape[1]
    place = places(drawn, whole).to(squares.device)
    pixels = squares.permute(0, 3, 1, 2).float().div_(255)
    grid = _grid(place, crop, projective=augmentation.perspective > 0)
    return functional.grid_sample(pixels, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def places(drawn: Drawn, whole: float) -> Tensor:
    """For each picture the `[3, 3]` that leads from a place in what is shown to the place in the square, both in -1..1, projectively.

    Read from the right: mirrored, turned, tilted, and then cut out.
    """
    none, one = torch.zeros_like(drawn.width), torch.ones_like(drawn.width)
    angle = torch.deg2rad(drawn.angle)
    cosine, sine = angle.cos(), angle.sin()

    def matrices(*rows: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        return torch.stack([torch.stack(row, 1) for row in rows], 1)

    mirrored = matrices((drawn.mirror, none, none), (none, drawn.upright, none), (none, none, one))
    turned = matrices((cosine, -sine, none), (sine, cosine, none), (none, none, one))
    tilted = matrices((one, none, none), (none, one, none), (drawn.tilt_x, drawn.tilt_y, one))
    cut = matrices((drawn.width * whole, none, drawn.left), (none, drawn.height * whole, drawn.top), (none, none, one))
    return cut @ tilted @ turned @ mirrored


def _grid(place: Tensor, crop: int, projective: bool) -> Tensor:
    """Where in the square each pixel shown comes from, `[N, crop, crop, 2]`, by `place [N, 3, 3]`.

    By sums along rows and columns: `functional.affine_grid` multiplies out a matrix a pixel, half of the time of everything here.
    """
    line = torch.linspace(-1, 1, crop, device=place.device) * (crop - 1) / crop
    x, y = line.view(1, 1, -1), line.view(1, -1, 1)
    by_x, by_y, offset = (place[:, :, column, None, None] for column in range(3))
    grid = torch.empty(len(place), crop, crop, 2, device=place.device)
    for row in range(2):
        torch.add(by_x[:, row] * x, by_y[:, row] * y + offset[:, row], out=grid[..., row])
    return grid.div_((by_x[:, 2] * x + (by_y[:, 2] * y + offset[:, 2]))[..., None]) if projective else grid

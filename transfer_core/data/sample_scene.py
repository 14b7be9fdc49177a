"""Scenes for the sample set: ground, clutter, a thing with its shadow, what covers it, light and grain."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from transfer_core.data.sample_things import INKS, Colour, Colours, Part, Points, Thing, ellipse, ribbon, smooth

SIZES = ((256, 256), (288, 224), (320, 240), (240, 320), (240, 288))  # width and height in pixels
DETAIL = 2  # outlines are drawn this many times larger, then averaged: antialiasing

# Grounds are the same for every class, so that no background gives a class away.
GROUNDS: tuple[tuple[Colour, Colour], ...] = (
    ((92, 118, 62), (134, 156, 84)),  # grass
    ((104, 80, 58), (146, 116, 84)),  # soil
    ((196, 176, 140), (222, 206, 172)),  # sand
    ((130, 130, 128), (172, 172, 168)),  # stone
    ((124, 84, 52), (168, 122, 78)),  # wood
    ((152, 186, 206), (206, 222, 230)),  # sky
    ((58, 74, 62), (86, 104, 84)),  # shade
    ((206, 196, 190), (236, 230, 224)),  # paper
)
DARK: Colour = (44, 36, 36)
USUAL = 0.75  # share of things in one of the colours their kind mostly has


def draw_scene(thing: Thing, generator: np.random.Generator) -> Image.Image:
    """One RGB picture of the thing, at one of SIZES."""
    width, height = SIZES[int(generator.integers(len(SIZES)))]
    ground = GROUNDS[int(generator.integers(len(GROUNDS)))]
    canvas = _ground(width * DETAIL, height * DETAIL, ground, generator)
    side = min(width, height) * DETAIL
    light = generator.uniform(0, 2 * np.pi)
    for _ in range(int(generator.integers(0, 4))):
        _place(canvas, [_litter(ground, generator)], generator, side * generator.uniform(0.04, 0.13), light)
    size = side * generator.uniform(0.45, 0.55)
    _place(canvas, thing.draw(_colours(thing, generator), generator), generator, size, light, central=True)
    if generator.random() < 0.25:
        _cover(canvas, ground, generator)
    return _photographed(canvas.reduce(DETAIL), generator)


def _colours(thing: Thing, generator: np.random.Generator) -> Colours:
    """Two inks that differ, each somewhat off its recipe, with a dark and a light one beside them."""
    first, second = generator.choice(len(INKS), 2, replace=False)
    if generator.random() < USUAL:
        first = int(generator.choice(thing.inks))
        second = second if second != first else (second + 1) % len(INKS)
    dark = _mixed(DARK, INKS[first], generator.uniform(0, 0.35), generator)
    light = _mixed((244, 236, 220), INKS[second], generator.uniform(0, 0.4), generator)
    return Colours(_mixed(INKS[first], DARK, 0, generator), _mixed(INKS[second], DARK, 0, generator), dark, light)


def _mixed(colour: Colour, other: Colour, share: float, generator: np.random.Generator) -> Colour:
    """A mixture of two colours, a little off."""
    mixed = np.array(colour) * (1 - share) + np.array(other) * share + generator.normal(0, 12, 3)
    red, green, blue = (int(value) for value in mixed.clip(0, 255))
    return red, green, blue


def _ground(width: int, height: int, colours: tuple[Colour, Colour], generator: np.random.Generator) -> Image.Image:
    """A background between two colours: clouds, planks, blades, pebbles or blurred lights."""
    # Clouds have no outlines: they are made at the final size, which a quarter of the pixels will do for.
    size = (width // DETAIL, height // DETAIL)
    noise = _clouds(*size, generator, coarse=int(generator.integers(3, 9)))
    fine = _clouds(*size, generator, coarse=48)
    mask = Image.blend(noise, fine, generator.uniform(0.1, 0.35))
    small = Image.composite(Image.new("RGB", size, colours[0]), Image.new("RGB", size, colours[1]), mask)
    canvas = small.resize((width, height), Image.Resampling.NEAREST)
    draw = ImageDraw.Draw(canvas)
    kind = generator.choice(["clouds", "planks", "blades", "pebbles", "lights"])
    if kind == "planks":
        angle, step = generator.choice([0.0, np.pi / 2]) + generator.normal(0, 0.05), width * generator.uniform(0.1, 0.25)
        for line in np.arange(-width, width, step):
            ends = _turn(np.array([[-2.0 * width, line], [2.0 * width, line]]), angle) + np.array([width / 2, height / 2])
            draw.line(_flat(ends), fill=_mixed(colours[0], DARK, 0.45, generator), width=int(width * 0.008) + 1)
    if kind == "blades":
        for _ in range(int(generator.integers(40, 110))):
            _blade(draw, width, height, colours, generator, height * generator.uniform(0.1, 0.35))
    if kind == "pebbles":
        for _ in range(int(generator.integers(60, 160))):
            x, y, radius = generator.uniform(0, width), generator.uniform(0, height), width * generator.uniform(0.008, 0.04)
            colour = _mixed(colours[int(generator.integers(2))], DARK, generator.uniform(0, 0.25), generator)
            draw.ellipse((x - radius, y - radius * 0.8, x + radius, y + radius * 0.8), fill=colour)
    if kind == "lights":
        for _ in range(int(generator.integers(8, 22))):
            x, y, radius = generator.uniform(0, width), generator.uniform(0, height), width * generator.uniform(0.03, 0.12)
            colour = _mixed(colours[1], INKS[int(generator.integers(len(INKS)))], generator.uniform(0, 0.5), generator)
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    # Mostly out of focus. Blurring a sixteenth of the pixels and enlarging them looks the same and takes a tenth of the time.
    if kind == "lights" or generator.random() < 0.85:
        small = canvas.reduce(4).filter(ImageFilter.GaussianBlur(generator.uniform(0.6, 4)))
        canvas = small.resize((width, height), Image.Resampling.BILINEAR)
    return canvas


def _clouds(width: int, height: int, generator: np.random.Generator, *, coarse: int) -> Image.Image:
    """Smooth noise with about `coarse` bumps across, as a grey picture."""
    noise = generator.integers(0, 256, (max(2, coarse * height // width), coarse)).astype(np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)


def _litter(ground: tuple[Colour, Colour], generator: np.random.Generator) -> Part:
    """A pebble, a fallen petal or a twig, in any of the colours."""
    ink = INKS[int(generator.integers(len(INKS)))]
    colour = _mixed(ground[int(generator.integers(2))], ink, generator.uniform(0, 0.7), generator)
    kind = int(generator.integers(3))
    if kind == 0:
        return Part(ellipse(0, 0, 1, generator.uniform(0.5, 0.9)), colour)
    if kind == 1:
        half = np.array([[0, -1], [0.45, -0.3], [0.4, 0.4], [0, 1.0]])
        return Part(smooth(np.concatenate([half, half[-2:0:-1] * [-1, 1]])), colour)
    twig = generator.normal(0, 0.2, (4, 2)) + np.linspace([-1.5, 0], [1.5, 0], 4)
    return Part(ribbon(smooth(twig, closed=False), 0.09), colour)


def _place(
    canvas: Image.Image,
    parts: list[Part],
    generator: np.random.Generator,
    size: float,
    light: float,
    *,
    central: bool = False,
) -> None:
    """Draws the parts and their shadow somewhere on the canvas, turned, squeezed and perhaps mirrored."""
    extent = np.array(canvas.size, dtype=float)
    centre = extent * (0.5 + generator.normal(0, 0.05, 2) if central else generator.random(2))
    angle = generator.normal(0, 0.15) if central and generator.random() < 0.97 else generator.uniform(-np.pi, np.pi)
    squeeze = np.array([generator.choice([-1.0, 1.0]) * generator.uniform(0.88, 1.0), generator.uniform(0.88, 1.0)])
    skew = np.array([[1.0, generator.normal(0, 0.08)], [0.0, 1.0]])

    def on_canvas(points: Points) -> Points:
        return _turn((points * squeeze) @ skew * size, angle) + centre

    placed = [
        replace(part, outline=on_canvas(part.outline), markings=[(on_canvas(each), ink) for each, ink in part.markings])
        for part in parts
    ]
    _shadow(canvas, placed, np.array([np.cos(light), np.sin(light)]) * size * generator.uniform(0.04, 0.16), generator)
    for part in placed:
        _paint(canvas, part, light)


def _shadow(canvas: Image.Image, parts: list[Part], offset: Points, generator: np.random.Generator) -> None:
    """A soft dark outline beside the parts, made at an eighth of the size."""
    outlines = [part.outline + offset for part in parts]
    margin = 40.0
    low, high = _rectangle(np.concatenate(outlines), canvas, margin)
    width, height = (high - low).tolist()
    if min(width, height) < 8:
        return
    small = Image.new("L", (width // 8 + 1, height // 8 + 1), 0)
    draw = ImageDraw.Draw(small)
    depth = int(255 * generator.uniform(0.2, 0.55))
    for outline in outlines:
        draw.polygon(_flat((outline - low) / 8), fill=depth)
    mask = small.filter(ImageFilter.GaussianBlur(generator.uniform(0.8, 2.5))).resize((width, height), Image.Resampling.BILINEAR)
    canvas.paste((20, 18, 24), (*low.tolist(), *high.tolist()), mask)


def _paint(canvas: Image.Image, part: Part, light: float) -> None:
    """Fills one part, its markings clipped to it, darker away from the light; only its own rectangle is touched."""
    low, high = _rectangle(part.outline, canvas, 1.0)
    width, height = (high - low).tolist()
    if min(width, height) < 2:
        return
    mask = Image.new("L", (width, height), 0)
    ImageDraw.Draw(mask).polygon(_flat(part.outline - low), fill=255)
    tile = Image.new("RGB", (width, height), part.colour)
    draw = ImageDraw.Draw(tile)
    for points, ink in part.markings:
        draw.polygon(_flat(points - low), fill=ink)
    if part.shade > 0:
        # A round gradient somewhat larger than the part, with its middle towards the light.
        left, top = (int(34 + 36 * way) for way in (np.cos(light), np.sin(light)))
        spread = _gradient(part.shade).resize(
            (width, height), Image.Resampling.BILINEAR, (64 - left * 0.5, 64 - top * 0.5, 226 - left * 0.5, 226 - top * 0.5)
        )
        tile.paste((16, 12, 20), mask=spread)
    canvas.paste(tile, (low[0].item(), low[1].item()), mask)


@cache
def _gradient(shade: float) -> Image.Image:
    """A round gradient from nothing in the middle to `shade` at the edge: grey, 256 pixels square."""
    return Image.radial_gradient("L").point([int(min(255, value * 1.1) * shade) for value in range(256)])


def _rectangle(points: Points, canvas: Image.Image, margin: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The whole pixels of the canvas around the points: corners low and high, high not included."""
    low = np.floor(points.min(0) - margin).astype(np.int64).clip(0, canvas.size)
    high = np.ceil(points.max(0) + margin).astype(np.int64).clip(0, canvas.size)
    return low, high


def _cover(canvas: Image.Image, ground: tuple[Colour, Colour], generator: np.random.Generator) -> None:
    """Grass blades or fallen bits in front of the thing, hiding some of it."""
    draw = ImageDraw.Draw(canvas)
    width, height = canvas.size
    if generator.random() < 0.6:
        for _ in range(int(generator.integers(2, 9))):
            _blade(draw, width, height, ground, generator, height * generator.uniform(0.4, 0.95), from_below=True)
        return
    for _ in range(int(generator.integers(1, 4))):
        _place(canvas, [_litter(ground, generator)], generator, width * generator.uniform(0.06, 0.12), 0.8, central=True)


def _blade(
    draw: ImageDraw.ImageDraw,
    width: int,
    height: int,
    colours: tuple[Colour, Colour],
    generator: np.random.Generator,
    length: float,
    *,
    from_below: bool = False,
) -> None:
    """One blade of grass in a shade of the ground's colours."""
    foot = np.array([generator.uniform(0, width), height + 4.0 if from_below else generator.uniform(0, height * 1.3)])
    lean = generator.normal(0, 0.3) * length
    path = smooth(foot + np.array([[0, 0], [lean * 0.3, -length * 0.55], [lean, -length]]), closed=False, pieces=5)
    colour = _mixed(colours[int(generator.integers(2))], DARK, generator.uniform(0, 0.4), generator)
    draw.polygon(_flat(ribbon(path, width * generator.uniform(0.004, 0.011), 0.5)), fill=colour)


def _photographed(picture: Image.Image, generator: np.random.Generator) -> Image.Image:
    """The scene as a camera might give it: uneven light, a colour cast, exposure, grain, now and then out of focus."""
    if generator.random() < 0.15:
        picture = picture.filter(ImageFilter.GaussianBlur(generator.uniform(0.4, 1.2)))
    uneven = np.asarray(_clouds(picture.width, picture.height, generator, coarse=2), dtype=np.float32) / 255 - 0.5
    pixels = np.asarray(picture, dtype=np.float32)
    cast = (generator.uniform(0.93, 1.07, 3) * generator.uniform(0.85, 1.15)).astype(np.float32)
    lit = pixels * (1 + np.float32(generator.uniform(0, 0.45)) * uneven)[..., None] * cast
    mean = lit.mean()
    lit = (lit - mean) * np.float32(generator.uniform(0.8, 1.15)) + mean
    lit += generator.standard_normal((*lit.shape[:2], 1), dtype=np.float32) * np.float32(generator.uniform(1, 5))
    return Image.fromarray(lit.clip(0, 255).astype(np.uint8))


def _turn(points: Points, angle: float) -> Points:
    cosine, sine = np.cos(angle), np.sin(angle)
    return points @ np.array([[cosine, sine], [-sine, cosine]])


def _flat(points: Points) -> list[tuple[float, float]]:
    """Points as Pillow takes them."""
    return [(x, y) for x, y in points.tolist()]

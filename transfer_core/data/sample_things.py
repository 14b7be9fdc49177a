"""The things in the sample set, as layers of polygons: a beetle, a butterfly, a flower, a leaf, a mushroom.

Coordinates are in units of the thing's size: about -1 to 1, x to the right, y downwards. Every thing takes its markings
from the same choices, and its colours too, with some likelier than others: what tells the classes apart is shape.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]  # (count, 2)
Colour = tuple[int, int, int]  # red, green, blue, 0 to 255


@dataclass(frozen=True)
class Part:
    """A filled outline with markings that are clipped to it."""

    outline: Points
    colour: Colour
    markings: list[tuple[Points, Colour]] = field(default_factory=list)
    shade: float = 0.35  # how much darker the edge is than the lit middle, 0 to 1


@dataclass(frozen=True)
class Colours:
    """What a thing is painted with."""

    main: Colour
    second: Colour
    dark: Colour
    light: Colour


def smooth(controls: Points, closed: bool = True, pieces: int = 8) -> Points:
    """A Catmull-Rom curve through the control points: (about count * pieces, 2)."""
    before_first, after_last = (controls[-1:], controls[:2]) if closed else (controls[:1], controls[-1:])
    padded = np.concatenate([before_first, controls, after_last])
    before, start, end, after = padded[:-3], padded[1:-2], padded[2:-1], padded[3:]
    t = np.linspace(0, 1, pieces, endpoint=not closed)[:, None, None]
    curve = 0.5 * (
        2 * start
        + (end - before) * t
        + (2 * before - 5 * start + 4 * end - after) * t**2
        + (3 * start - before - 3 * end + after) * t**3
    )
    return np.asarray(curve.transpose(1, 0, 2).reshape(-1, 2))


def ellipse(x: float, y: float, width: float, height: float, count: int = 28) -> Points:
    """An ellipse by its centre and half-axes."""
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.stack([x + width * np.cos(angle), y + height * np.sin(angle)], 1)


def ribbon(path: Points, start: float, end: float | None = None) -> Points:
    """A stroke along a path as an outline, its half-width running from `start` to `end`."""
    half = np.linspace(start, start if end is None else end, len(path))[:, None]
    padded = np.concatenate([path[:1], path, path[-1:]])
    along = padded[2:] - padded[:-2]
    across = half * (along[:, ::-1] * [-1.0, 1.0]) / np.maximum(np.hypot(along[:, :1], along[:, 1:]), 1e-9)
    return np.concatenate([path + across, (path - across)[::-1]])


def turned(points: Points, angle: float) -> Points:
    """The points turned about the origin by an angle in radians."""
    cosine, sine = np.cos(angle), np.sin(angle)
    return points @ np.array([[cosine, sine], [-sine, cosine]])


def mirrored(points: Points) -> Points:
    """The points with left and right exchanged."""
    return points * np.array([-1.0, 1.0])


def markings(colours: Colours, generator: np.random.Generator, reach: float = 1.0) -> list[tuple[Points, Colour]]:
    """Spots, stripes, blotches or nothing, within `reach` of the origin; the same choice for every thing."""
    colour = (colours.second, colours.dark, colours.light)[int(generator.integers(3))]
    kind = generator.choice(["none", "spots", "specks", "stripes"], p=[0.7, 0.16, 0.07, 0.07])
    if kind == "none":
        return []
    if kind == "stripes":
        step, angle = generator.uniform(0.16, 0.4), generator.uniform(0, np.pi)
        bars = np.arange(-1.2, 1.2, step) * reach
        width = step * generator.uniform(0.15, 0.3)
        along = np.array([[-1.2, 0.0], [-0.4, 0.06], [0.4, -0.06], [1.2, 0.0]]) * reach
        return [(turned(ribbon(along + np.array([0.0, bar]), width), angle), colour) for bar in bars]
    count, largest = (int(generator.integers(5, 14)), 0.14) if kind == "spots" else (40, 0.035)
    places = generator.uniform(-reach, reach, (count, 2))
    radii = generator.uniform(0.4, 1, count) * largest
    return [(ellipse(x, y, radius, radius * 0.9, 14), colour) for (x, y), radius in zip(places, radii, strict=True)]


def beetle(colours: Colours, generator: np.random.Generator) -> list[Part]:
    """Seen from above: six legs, two feelers, head, neck shield, and wing cases with a seam."""
    width = generator.uniform(0.42, 0.66)
    parts = []
    for reach, start, end in ((-0.75, -0.35, -0.7), (0.0, 0.0, 0.15), (0.8, 0.3, 0.85)):
        knee = np.array([width * 1.35, start + reach * 0.18]) + generator.normal(0, 0.05, 2)
        foot = np.array([width * 1.5 + 0.12, end]) + generator.normal(0, 0.07, 2)
        leg = np.array([[width * 0.4, start], knee, foot])
        thickness = generator.uniform(0.04, 0.06)
        parts += [Part(ribbon(side, thickness, thickness * 0.6), colours.dark, shade=0) for side in (leg, mirrored(leg))]
    feeler = smooth(np.array([[0.08, -0.8], [0.25, -1.0], [0.42, -1.02 + generator.normal(0, 0.08)]]), closed=False)
    parts += [Part(ribbon(side, 0.02), colours.dark, shade=0) for side in (feeler, mirrored(feeler))]
    parts.append(Part(ellipse(0, -0.74, width * 0.42, 0.17), colours.dark, shade=0.3))
    neck = smooth(np.array([[-0.6, -0.62], [0.6, -0.62], [0.86, -0.3], [0, -0.22], [-0.86, -0.3]]) * [width, 1])
    shield = colours.dark if generator.random() < 0.5 else colours.second
    parts.append(Part(neck, shield, shade=0.4))
    half = np.array([[0, -0.36], [0.8, -0.3], [1.02, 0.1], [0.82, 0.62], [0, 0.95]]) * [width, 1]
    case = smooth(np.concatenate([half, mirrored(half[1:-1])[::-1]]))
    seam = ribbon(np.array([[0, -0.4], [0.0, 0.3], [0, 0.97]]), 0.018)
    marks = markings(colours, generator, 0.8)
    # Nature paints both wing cases alike.
    marks = [(points, colour) for each, colour in marks for points in (each, mirrored(each))]
    parts.append(Part(case, colours.main, [*marks, (seam, colours.dark)], shade=0.5))
    return parts


def butterfly(colours: Colours, generator: np.random.Generator) -> list[Part]:
    """Four wings with a border, one side perhaps half closed, a body and feelers."""
    upper = np.array([[0.03, -0.05], [0.3, -0.6], [0.8, -0.85], [1.0, -0.6], [0.8, -0.1], [0.3, 0.1]])
    lower = np.array([[0.03, 0.0], [0.5, 0.0], [0.78, 0.3], [0.62, 0.78], [0.34, 0.72], [0.12, 0.4]])
    upper = upper + generator.normal(0, 0.045, upper.shape)
    lower = lower + generator.normal(0, 0.045, lower.shape)
    closed = 1.0 if generator.random() < 0.75 else generator.uniform(0.5, 0.9)
    border = colours.dark if generator.random() < 0.9 else colours.second
    inner = generator.uniform(0.68, 0.86)
    marks = markings(colours, generator)
    parts = []
    for controls, colour in ((lower, colours.second if generator.random() < 0.4 else colours.main), (upper, colours.main)):
        wing = smooth(controls)
        root = np.array([0.1, 0.0])
        field_inside = root + (wing - root) * inner
        veins = [(ribbon(np.array([root, (root + tip) / 2, tip]), 0.018), border) for tip in wing[6:-6:6]]
        inside = [(field_inside, colour), *marks, *(veins if generator.random() < 0.8 else [])]
        for side, squeeze in ((1.0, 1.0), (-1.0, closed)):
            scale = np.array([side * squeeze, 1.0])
            parts.append(Part(wing * scale, border, [(points * scale, each) for points, each in inside], shade=0.2))
    feeler = smooth(np.array([[0.02, -0.45], [0.14, -0.75], [0.32, -0.9 + generator.normal(0, 0.06)]]), closed=False)
    parts += [Part(ribbon(side, 0.014), colours.dark, shade=0) for side in (feeler, mirrored(feeler))]
    parts.append(Part(ellipse(0, 0.08, 0.07, 0.46), colours.dark, shade=0.3))
    parts.append(Part(ellipse(0, -0.42, 0.075, 0.085), colours.dark, shade=0.3))
    return parts


def flower(colours: Colours, generator: np.random.Generator) -> list[Part]:
    """Petals around a disc, in one or two rings, perhaps with a stem and a leaf."""
    parts = []
    if generator.random() < 0.45:
        stem = smooth(np.array([[0, 0.2], [generator.normal(0, 0.1), 0.8], [generator.normal(0, 0.25), 1.5]]), closed=False)
        parts.append(Part(ribbon(stem, 0.045), _GREEN, shade=0.2))
        side = np.array([[0.0, 0.95], [0.25, 0.7], [0.6, 0.72], [0.3, 0.95]]) * [generator.choice([-1, 1]), 1]
        parts.append(Part(smooth(side), _GREEN, shade=0.3))
    count = int(generator.integers(6, 14))
    width = np.pi / count * generator.uniform(0.6, 0.95)
    tip = generator.choice([0.75, 0.95, 1.25])  # round, blunt or pointed
    half = np.array([[0.1, 0.05], [0.5, 0.8 * width], [0.8, width * 0.85 * (2 - tip)], [1.0 if tip > 1 else 0.97, 0.04]])
    petal = smooth(np.concatenate([half, half[::-1] * [1, -1]]))
    marks = markings(colours, generator)
    rings = ((1.0, 0.0, colours.main), (0.66, np.pi / count, colours.second))
    for size, offset, colour in rings[: 2 if generator.random() < 0.35 else 1]:
        for number in generator.permutation(count):
            angle = 2 * np.pi * number / count + offset + generator.normal(0, 0.04)
            length = size * generator.uniform(0.9, 1.05)
            fold = ribbon(np.array([[0.1, 0.0], [0.5, 0.01], [0.85, 0.0]]), 0.02, 0.006)
            inside = [(turned(points * length, angle), each) for points, each in [*marks, (fold, colours.second)]]
            parts.append(Part(turned(petal * length, angle), colour, inside, shade=0.45))
    disc = generator.uniform(0.14, 0.34)
    middle = (colours.dark, colours.light, colours.second)[int(generator.integers(3))]
    places = generator.normal(0, disc * 0.5, (24, 2))
    seeds = [(ellipse(x, y, 0.022, 0.022, 8), colours.dark) for x, y in places]
    parts.append(Part(ellipse(0, 0, disc, disc * 0.95), middle, seeds, shade=0.4))
    return parts


def leaf(colours: Colours, generator: np.random.Generator) -> list[Part]:
    """A blade that is oval, heart-shaped, lobed or toothed, with a midrib, veins and a stalk."""
    kind = generator.choice(["oval", "heart", "lobed", "toothed"])
    width = generator.uniform(0.42, 0.66)
    along = np.linspace(0, 1, 60)
    y = -0.95 + 1.75 * along
    profile = np.sin(np.pi * along ** generator.uniform(0.8, 1.25)) ** generator.uniform(0.7, 1.1)
    if kind == "heart":
        profile = np.sqrt(np.clip(along, 0, 1)) * np.sqrt(np.clip(1 - along**4, 0, 1))
        y = y + 0.28 * np.clip(profile, 0, 1) * along**3
    if kind == "lobed":
        lobes = generator.integers(3, 5)
        profile = profile * (1 + 0.36 * np.sin(2 * np.pi * lobes * along + generator.uniform(0, 6)))
        width *= 1.15
    if kind == "toothed":
        profile = profile * (1 + 0.09 * ((along * generator.integers(9, 16)) % 1 - 0.5) * 2)
    bend = generator.uniform(-0.22, 0.22) * np.sin(np.pi * along)
    right = np.stack([width * profile + bend, y], 1)
    left = np.stack([-width * profile + bend, y], 1)
    midrib = np.stack([bend, y], 1)[::5]
    rib = colours.light if generator.random() < 0.5 else colours.dark
    veins = [(ribbon(midrib, 0.022, 0.03), rib)]
    for start in midrib[2:-1]:
        for side in (-1.0, 1.0):
            end = start + np.array([side * width * 1.1, -0.34])
            veins.append((ribbon(np.array([start, (start + end) / 2 + [0, 0.05], end]), 0.018, 0.008), rib))
    stalk = smooth(np.array([midrib[-1], midrib[-1] + [0.02, 0.2], midrib[-1] + [generator.normal(0, 0.12), 0.42]]), closed=False)
    blade = Part(np.concatenate([right, left[::-1]]), colours.main, [*markings(colours, generator), *veins], shade=0.25)
    return [Part(ribbon(stalk, 0.028, 0.04), rib, shade=0), blade]


def mushroom(colours: Colours, generator: np.random.Generator) -> list[Part]:
    """A stem, perhaps with a ring, under a cap that is round, pointed, flat or bell-shaped, perhaps with gills."""
    wide, high = generator.uniform(0.62, 1.0), generator.uniform(0.45, 1.0)
    base, lean = generator.uniform(0.11, 0.22), generator.normal(0, 0.1)
    stem = smooth(np.array([[0, -0.15], [lean * 0.4, 0.45], [lean, generator.uniform(0.9, 1.2)]]), closed=False)
    pale = colours.light if generator.random() < 0.6 else colours.second
    parts = [Part(ribbon(stem, base * generator.uniform(0.6, 0.9), base), pale, shade=0.35)]
    if generator.random() < 0.35:
        ring = smooth(np.array([[-1.5, 0.34], [0, 0.25], [1.5, 0.34], [0.8, 0.42], [-0.8, 0.42]]) * [base, 1])
        parts.append(Part(ring, colours.light, shade=0.3))
    under = generator.uniform(0.05, 0.2)
    spokes = np.linspace(-wide, wide, 19)
    gills = [(ribbon(np.array([[0, -0.3], [x / 2, -0.08], [x, 0.2]]), 0.012), colours.dark) for x in spokes]
    parts.append(Part(ellipse(0, -0.05, wide * 0.96, under), pale, gills, shade=0.3))
    shoulder = generator.choice([0.55, 0.8, 0.98])  # pointed, round or flat
    half = np.array([[0, -high], [shoulder * 0.62 * wide, -high * 0.86], [wide * 0.94, -high * 0.38], [wide, -0.02]])
    rim = np.array([[wide * 0.5, 0.02 + under * 0.35]])
    right = np.concatenate([half[1:], rim])
    cap = smooth(np.concatenate([half[:1], right, mirrored(right)[::-1]]))
    parts.append(Part(cap, colours.main, markings(colours, generator), shade=0.5))
    return parts


_GREEN: Colour = (84, 124, 62)

INKS: tuple[Colour, ...] = (
    (196, 60, 44),
    (222, 122, 40),
    (232, 188, 66),
    (142, 164, 62),
    (66, 118, 70),
    (58, 140, 150),
    (62, 92, 166),
    (128, 84, 156),
    (204, 112, 144),
    (128, 88, 56),
    (222, 206, 178),
    (92, 78, 74),
)


@dataclass(frozen=True)
class Thing:
    """A class of the sample set: how one is drawn, and the inks (places in INKS) that it mostly has."""

    draw: Callable[[Colours, np.random.Generator], list[Part]]
    inks: tuple[int, ...]


# The usual inks overlap, and any thing may have any ink: colour is a hint to the class, as in nature, and no proof.
THINGS: dict[str, Thing] = {
    "beetle": Thing(beetle, (0, 5, 9, 11)),
    "butterfly": Thing(butterfly, (1, 2, 6, 7)),
    "flower": Thing(flower, (0, 2, 7, 8)),
    "leaf": Thing(leaf, (3, 4, 1)),
    "mushroom": Thing(mushroom, (0, 9, 10)),
}

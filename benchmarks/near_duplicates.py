"""Near-duplicates: how many planted copies are found, how many pairs are wrong, and what fingerprints and the search cost.

    python -m benchmarks.near_duplicates [--sets flowers5 ...] [--counts 10000 100000] [--show FOLDER]

A copy of every picture of flowers5, of each kind, lies among the originals of all sets. Pairs that are found in the sets themselves are
pictures that were really published twice, or are wrong: `--show` writes them side by side for the eye. Needs TRANSFER_STUDIO_SHARED.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

Change = Callable[[Image.Image, np.random.Generator], Image.Image]

RESAMPLING = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)


def encoded(image: Image.Image, quality: int) -> bytes:
    """`image` as a JPEG."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def resized(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Half to twice the size."""
    factor = 2.0 ** random.uniform(-1, 1)
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    return image.resize(size, RESAMPLING[random.integers(len(RESAMPLING))])


def cropped(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """85 to 95 % of each side, anywhere."""
    width, height = (round(side * random.uniform(0.85, 0.95)) for side in image.size)
    left, top = random.integers(0, image.width - width + 1), random.integers(0, image.height - height + 1)
    return image.crop((int(left), int(top), int(left) + width, int(top) + height))


def rotated(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Up to 3 degrees either way: in the same frame with black corners, in a larger one, or cut to where there is a picture."""
    angle = random.uniform(-3, 3)
    manner = random.integers(3)
    turned = image.rotate(angle, Image.Resampling.BICUBIC, expand=manner == 1)
    if manner < 2:
        return turned
    sine = np.sin(np.radians(abs(angle)))
    across, down = int(np.ceil(image.height * sine / 2)), int(np.ceil(image.width * sine / 2))
    return turned.crop((across, down, image.width - across, image.height - down))


def lit(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """0.8 to 1.25 times as bright."""
    return ImageEnhance.Brightness(image).enhance(float(0.8 * (1.25 / 0.8) ** random.uniform()))


def reencoded(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """A JPEG of quality 50 to 90."""
    return Image.open(io.BytesIO(encoded(image, int(random.integers(50, 91))))).convert("RGB")


def all_of_it(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Turned, cut, lit, resized and encoded again: what becomes of a picture that is passed on."""
    for change in (rotated, cropped, lit, resized, reencoded):
        image = change(image, random)
    return image


def grey(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Without colour."""
    return image.convert("L").convert("RGB")


# Each kind of copy, and the share that must be found.
KINDS: dict[str, tuple[Change, float | None]] = {
    "re-encoded, quality 50 to 90": (reencoded, 0.95),
    "resized, 0.5 to 2": (resized, 0.95),
    "cropped to 85 to 95 % of each side": (cropped, 0.85),
    "rotated up to 3 degrees": (rotated, 0.85),
    "brightness 0.8 to 1.25": (lit, 0.85),
    "all of these at once": (all_of_it, None),
    "without colour": (grey, None),
}


def planted(path: Path, kind: str, seed: int) -> bytes:
    """A copy of the picture at `path`, as a JPEG of quality 90."""
    change, _goal = KINDS[kind]
    with Image.open(path) as image:
        return encoded(change(image.convert("RGB"), np.random.default_rng(seed)), 90)

"""Pictures drawn by formula for the starter's pretraining: dead leaves over noise with a natural spectrum."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

SIDE = 320  # pixels of a drawn picture's side


def draw_picture(generator: np.random.Generator) -> Image.Image:
    """One RGB picture: overlapping textured shapes ("dead leaves", Lee, Mumford and Huang 2001) over 1/f noise."""
    textures = [Image.fromarray(_texture(generator)) for _ in range(5)]
    canvas = textures[0].copy()
    for _ in range(int(generator.integers(15, 90))):
        mask = Image.new("L", (SIDE, SIDE), 0)
        _draw_shape(ImageDraw.Draw(mask), generator)
        if generator.random() < 0.5:
            canvas.paste(tuple(int(value) for value in generator.integers(0, 256, 3)), mask=mask)
        else:
            canvas.paste(textures[int(generator.integers(1, len(textures)))], mask=mask)
    return canvas


def _texture(generator: np.random.Generator) -> NDArray[np.uint8]:
    """Coloured noise whose amplitude falls as 1/f to a random power, sometimes striped: uint8 (SIDE, SIDE, 3)."""
    frequency = np.hypot(*np.meshgrid(np.fft.rfftfreq(SIDE), np.fft.fftfreq(SIDE)))
    frequency[0, 0] = 1 / SIDE
    spectrum = frequency ** -generator.uniform(0.8, 2.2)
    phases = np.exp(2j * np.pi * generator.random((3, *spectrum.shape)))
    noise = np.fft.irfft2(spectrum * phases, s=(SIDE, SIDE), axes=(1, 2))
    noise /= noise.std((1, 2), keepdims=True)
    # Channels that share most of their noise look like a material; independent ones look like a rainbow.
    noise = generator.uniform(0.6, 0.95) * noise[:1] + 0.4 * noise
    if generator.random() < 0.3:
        rows, columns = np.mgrid[0:SIDE, 0:SIDE]
        angle, wavelength = generator.uniform(0, np.pi), generator.uniform(6, 50)
        way = rows * np.sin(angle) + columns * np.cos(angle)
        noise += generator.uniform(0.5, 2) * np.sign(np.sin(2 * np.pi * way / wavelength))
    base = generator.integers(20, 236, (3, 1, 1))
    pixels = base + generator.uniform(10, 50) * noise
    return np.ascontiguousarray(pixels.clip(0, 255).astype(np.uint8).transpose(1, 2, 0))


def _draw_shape(draw: ImageDraw.ImageDraw, generator: np.random.Generator) -> None:
    """An ellipse, a polygon or a stroke whose size follows the inverse cube law of the dead leaves model, in a mask."""
    smallest, largest = 12.0, 120.0
    radius = 1 / np.sqrt(generator.uniform(1 / largest**2, 1 / smallest**2))
    centre = generator.uniform(0, SIDE, 2)
    kind = generator.integers(3)
    if kind == 2:
        points = centre + np.cumsum(generator.normal(0, radius, (6, 2)), 0)
        draw.line([(float(x), float(y)) for x, y in points], fill=255, width=max(1, int(radius / 4)), joint="curve")
        return
    corners = int(generator.integers(3, 9)) if kind == 1 else 40
    angles = np.sort(generator.uniform(0, 2 * np.pi, corners)) if kind == 1 else np.linspace(0, 2 * np.pi, corners)
    stretch, turn = generator.uniform(0.35, 1), generator.uniform(0, 2 * np.pi)
    outline = radius * np.stack([np.cos(angles), stretch * np.sin(angles)], 1)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    draw.polygon([(float(x), float(y)) for x, y in outline @ rotation + centre], fill=255)

"""Generated photographs by the hundred thousand: no two alike, about 50 KB each, the same ones every time."""

from __future__ import annotations

import io
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = 50
SIZE = (480, 360)
CHUNK = 500


def picture(number: int) -> bytes:
    """A JPEG of clouds of colour under grain: as large as a photograph of its size, and like no other one."""
    random = np.random.default_rng(number)
    cells = random.integers(30, 226, (random.integers(4, 9), random.integers(4, 9), 3), dtype=np.uint8)
    clouds = np.asarray(Image.fromarray(cells).resize(SIZE, Image.Resampling.BICUBIC), np.int16)
    grain = random.integers(-14, 15, (SIZE[1], SIZE[0], 1), dtype=np.int8)
    buffer = io.BytesIO()
    Image.fromarray(np.clip(clouds + grain, 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=87)
    return buffer.getvalue()


def file(folder: Path, number: int) -> Path:
    """Where a picture lies."""
    return folder / f"class {number % CLASSES:02}" / f"{number // CLASSES:05}.jpg"


def generate(folder: Path, count: int) -> Path:
    """`count` pictures in `CLASSES` folders under `folder`; those that are there stay."""
    for number in range(min(count, CLASSES)):
        file(folder, number).parent.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor() as pool:
        list(
            pool.map(_write, *zip(*((folder, start, min(start + CHUNK, count)) for start in range(0, count, CHUNK)), strict=True))
        )
    return folder


def _write(folder: Path, start: int, end: int) -> None:
    for number in range(start, end):
        target = file(folder, number)
        if not target.exists():
            target.write_bytes(picture(number))

"""Examples of an augmentation: pictures as prediction sees them, each beside a few views that training would be shown."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from transfer_core.errors import storage_error
from transfer_core.files import write_bytes
from transfer_core.images.augment import augment, plain
from transfer_core.images.augmentation import Augmentation
from transfer_core.images.pixels import PixelMap

VIEWS = 5
SIDE = 160  # pixels, at most: as thumbnails are


def draw_examples(
    pixels: PixelMap,
    contents: Sequence[str],
    augmentation: Augmentation,
    seed: int,
    folder: Path,
    checkpoint: Callable[[], None] | None = None,
) -> list[list[Path]]:
    """JPEGs of each of `contents` in `folder`: one as it is, then `VIEWS` views of it. `pixels` must have them all.

    The same seed shows the same. `checkpoint()` is called before each picture and may raise to stop. Raises StorageError.
    """
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise storage_error(error, folder) from error
    generator = torch.Generator().manual_seed(seed)
    rows, written = pixels.rows(), []
    for number, position in enumerate(pixels.positions(contents)):
        if checkpoint:
            checkpoint()
        square = torch.from_numpy(np.array(rows[position]))[None]
        views = augment(square.expand(VIEWS, -1, -1, -1), pixels.view.crop, generator, augmentation)
        shown = torch.cat([plain(square, pixels.view.crop), views])
        written.append([folder / f"{number}-{view}.jpg" for view in range(len(shown))])
        for file, picture in zip(written[-1], shown, strict=True):
            write_bytes(file, _jpeg(picture))
    return written


def _jpeg(shown: Tensor) -> bytes:
    buffer = io.BytesIO()
    image = Image.fromarray(shown.mul(255).round().to(torch.uint8).permute(1, 2, 0).numpy())
    image.thumbnail((SIDE, SIDE), Image.Resampling.BILINEAR)
    image.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()

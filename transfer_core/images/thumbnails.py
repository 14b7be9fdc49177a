"""Small pictures for pages, kept on disk by content."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from transfer_core.errors import storage_error
from transfer_core.files import write_bytes
from transfer_core.images.decode import DECODE, open_rgb


def thumbnail(path: Path, content: str, folder: Path, size: int = 160) -> Path:
    """A JPEG of at most `size` pixels a side made from the picture at `path`, kept in `folder` under its `content`.

    Raises ImageError naming `path` when the picture can't be read, StorageError when the disk refuses.
    """
    target = folder / content[:2] / f"{content}-{DECODE}-{size}.jpg"
    if not target.exists():
        image = open_rgb(path, need=size).copy()
        image.thumbnail((size, size), Image.Resampling.BILINEAR)
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=85)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise storage_error(error, target) from error
        write_bytes(target, buffer.getvalue())
    return target

"""Which files are taken for pictures. Apart from decoding, because pages list them without loading NumPy and Pillow."""

from __future__ import annotations

from importlib.util import find_spec

# Pillow's own wheels read AVIF; one that somebody built may not.
_AVIF = find_spec("PIL._avif") is not None
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", *(["AVIF"] if _AVIF else []))
EXTENSIONS = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", *([".avif"] if _AVIF else [])}
)
PHONE_EXTENSIONS = frozenset({".heic", ".heif", ".hif"})
MAX_BYTES = 256 * 1024 * 1024

"""Which files are taken for pictures. Apart from decoding, because pages list them without loading NumPy and Pillow."""

from __future__ import annotations

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
EXTENSIONS = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"})
MAX_BYTES = 256 * 1024 * 1024

"""Thumbnails for pages, made a pageful at a time and kept on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from transfer_core.errors import TransferError
from transfer_core.images.thumbnails import thumbnail

_THREADS = 2  # Pillow works beside Python, but training has the processor first


def thumbnails(cache: Path, pictures: Sequence[tuple[Path, str | None]], size: int = 160) -> list[Path | None]:
    """A small JPEG of each (file, content), kept in a project's `cache`; None for a picture that can't be read (any more).

    Without a known content, what the system says of the file takes its place.
    """
    make = partial(_thumbnail, cache / "thumbnails", size)
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(make, pictures))


def _thumbnail(folder: Path, size: int, picture: tuple[Path, str | None]) -> Path | None:
    path, content = picture
    try:
        return thumbnail(path, content or _by_file(path), folder, size)
    except (TransferError, OSError):
        return None


def _by_file(path: Path) -> str:
    status = path.stat()
    told = repr((str(path), status.st_size, status.st_mtime_ns))
    return hashlib.blake2b(told.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()

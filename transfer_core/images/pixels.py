"""Pictures decoded once into a memory map, by content."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from transfer_core.errors import ImageError
from transfer_core.images.decode import open_rgb
from transfer_core.images.view import Pixels, View
from transfer_core.rows import RowStore

CHUNK = 64


class Source(NamedTuple):
    """A picture to decode: the key its pixels are kept under, and its file."""

    content: str
    path: Path


class PixelMap(RowStore):
    """Squares of `view.resize` pixels, uint8 `[N, resize, resize, 3]`, kept under `folder / view.key`.

    Disk: 161 KB a picture at 232 pixels; 16 GB for 100,000. Memory while decoding: one chunk of 64 and a picture a thread.
    """

    def __init__(self, folder: Path, view: View):
        self.view = view
        super().__init__(folder / view.key, (view.resize, view.resize, 3), np.uint8)

    def decode(
        self,
        sources: Sequence[Source],
        threads: int,
        progress: Callable[[int, int], None] | None = None,
        checkpoint: Callable[[], None] | None = None,
    ) -> list[tuple[Source, ImageError]]:
        """Decode what is not here yet; the pictures that could not be read come back with their errors.

        `progress(done, total)` is called after every chunk, `checkpoint()` before it (it may raise to stop).
        """
        failed: list[tuple[Source, ImageError]] = []
        with self.lock():
            self.refresh()
            first = {source.content: source for source in reversed(sources)}
            todo = [first[content] for content in self.missing(source.content for source in sources)]
            with ThreadPoolExecutor(threads) as pool:
                for start, chunk, results in _ahead(pool, todo, self._square):
                    if checkpoint:
                        checkpoint()
                    good = [(s.content, r) for s, r in zip(chunk, results, strict=True) if not isinstance(r, ImageError)]
                    failed += [(s, r) for s, r in zip(chunk, results, strict=True) if isinstance(r, ImageError)]
                    if good:
                        self.append([content for content, _ in good], [pixels for _, pixels in good])
                    if progress:
                        progress(start + len(chunk), len(todo))
        return failed

    def _square(self, source: Source) -> Pixels | ImageError:
        try:
            return self.view.square(open_rgb(source.path, need=self.view.resize))
        except ImageError as error:
            return error


def _ahead(
    pool: ThreadPoolExecutor, todo: Sequence[Source], work: Callable[[Source], Pixels | ImageError]
) -> Iterator[tuple[int, Sequence[Source], list[Pixels | ImageError]]]:
    """Chunks of `todo` with their results, in order; the next chunk is worked on while one is used."""
    chunks = [(start, todo[start : start + CHUNK]) for start in range(0, len(todo), CHUNK)]
    waiting = [[pool.submit(work, source) for source in chunk] for _, chunk in chunks[:1]]
    for number, (start, chunk) in enumerate(chunks):
        if number + 1 < len(chunks):
            waiting.append([pool.submit(work, source) for source in chunks[number + 1][1]])
        yield start, chunk, [future.result() for future in waiting.pop(0)]

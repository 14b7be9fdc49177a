"""Pictures decoded once into memory maps, by content."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from transfer_core.errors import ImageError
from transfer_core.images.decode import decoded_size, open_rgb
from transfer_core.images.view import View
from transfer_core.rows import RowStore

CHUNK = 64
# Handed to a thread at once: of a small picture, handing it over alone would take a tenth of the time.
HANDED = 8


class Source(NamedTuple):
    """A picture to decode: the key its pixels are kept under, and its file."""

    content: str
    path: Path


class DecodedRows(RowStore):
    """Rows that are made of decoded pictures.

    `need` is what `open_rgb` is given for them.
    """

    need: int

    def row(self, image: Image.Image) -> NDArray[np.uint8]:
        """What is kept of an upright RGB picture."""
        raise NotImplementedError


class PixelMap(DecodedRows):
    """Squares of `view.resize` pixels, uint8 `[N, resize, resize, 3]`, kept under `folder / view.key`.

    Disk: 161 KB a picture at 232 pixels; 16 GB for 100,000. Memory while decoding: one chunk of 64 and a picture a thread.
    """

    def __init__(self, folder: Path, view: View):
        self.view = view
        self.need = view.resize
        super().__init__(folder / view.key, (view.resize, view.resize, 3), np.uint8)

    def row(self, image: Image.Image) -> NDArray[np.uint8]:
        """The square that the view shows."""
        return self.view.square(image)

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
        return decode_together([(self, sources)], threads, progress, checkpoint)


def decode_together(
    wanted: Sequence[tuple[DecodedRows, Sequence[Source]]],
    threads: int,
    progress: Callable[[int, int], None] | None = None,
    checkpoint: Callable[[], None] | None = None,
) -> list[tuple[Source, ImageError]]:
    """Decode into several maps, each in a folder of its own, what each lacks of its sources; otherwise as `PixelMap.decode`.

    A picture that several maps lack is decoded once where they need it at the same scale, and counts once.
    """
    failed: list[tuple[Source, ImageError]] = []
    with ExitStack() as locks, ThreadPoolExecutor(threads) as pool:
        # In one order everywhere, so that no two processes wait for each other.
        for kept in sorted((kept for kept, _sources in wanted), key=lambda kept: kept.folder):
            locks.enter_context(kept.lock())
            kept.refresh()
        todo = _todo(wanted)

        def work(each: _Todo) -> list[NDArray[np.uint8]] | ImageError:
            return _rows(each.source, [wanted[place][0] for place in each.places])

        for start, chunk, results in _ahead(pool, todo, work):
            if checkpoint:
                checkpoint()
            rows: dict[int, list[tuple[str, NDArray[np.uint8]]]] = defaultdict(list)
            for (source, places), result in zip(chunk, results, strict=True):
                if isinstance(result, ImageError):
                    failed.append((source, result))
                    continue
                for place, row in zip(places, result, strict=True):
                    rows[place].append((source.content, row))
            for place, made in rows.items():
                wanted[place][0].append([content for content, _ in made], [row for _, row in made])
            if progress:
                progress(start + len(chunk), len(todo))
    return failed


class _Todo(NamedTuple):
    """A picture, and the places in the list of those maps that lack it."""

    source: Source
    places: tuple[int, ...]


def _todo(wanted: Sequence[tuple[DecodedRows, Sequence[Source]]]) -> list[_Todo]:
    todo: dict[str, _Todo] = {}
    for place, (kept, sources) in enumerate(wanted):
        first = {source.content: source for source in reversed(sources)}
        for content in kept.missing(source.content for source in sources):
            others = todo[content].places if content in todo else ()
            todo[content] = _Todo(first[content], (*others, place))
    return list(todo.values())


def _rows(source: Source, wanted: Sequence[DecodedRows]) -> list[NDArray[np.uint8]] | ImageError:
    """What each keeps of the picture."""
    rows: list[NDArray[np.uint8]] = []
    image: Image.Image | None = None
    decoded: tuple[int, int] | None = None
    try:
        for kept in wanted:
            size = decoded_size(source.path, kept.need) if len(wanted) > 1 else None
            if image is None or size is None or size != decoded:
                image, decoded = open_rgb(source.path, need=kept.need), size
            rows.append(kept.row(image))
    except ImageError as error:
        return error
    return rows


def _ahead(
    pool: ThreadPoolExecutor, todo: Sequence[_Todo], work: Callable[[_Todo], list[NDArray[np.uint8]] | ImageError]
) -> Iterator[tuple[int, Sequence[_Todo], list[list[NDArray[np.uint8]] | ImageError]]]:
    """Chunks of `todo` with their results, in order; the next chunk is worked on while one is used."""

    def several(some: Sequence[_Todo]) -> list[list[NDArray[np.uint8]] | ImageError]:
        return [work(each) for each in some]

    def begun(chunk: Sequence[_Todo]) -> list[Future[list[list[NDArray[np.uint8]] | ImageError]]]:
        return [pool.submit(several, chunk[start : start + HANDED]) for start in range(0, len(chunk), HANDED)]

    chunks = [(start, todo[start : start + CHUNK]) for start in range(0, len(todo), CHUNK)]
    waiting = [begun(chunk) for _, chunk in chunks[:1]]
    for number, (start, chunk) in enumerate(chunks):
        if number + 1 < len(chunks):
            waiting.append(begun(chunks[number + 1][1]))
        yield start, chunk, [result for future in waiting.pop(0) for result in future.result()]

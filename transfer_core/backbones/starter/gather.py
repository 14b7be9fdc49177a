"""Gathers the starter's training pictures into a pool: photographs as tiles, drawings as cut-outs.

    python -m transfer_core.backbones.starter.gather --archives FOLDER --out POOL

Archives that are not in the folder are fetched by npm and apt. Needs the development extras (resvg-py, scikit-image, scikit-learn).
"""

from __future__ import annotations

import argparse
import io
import json
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from transfer_core.backbones.starter.archives import ARCHIVES, Archive, fetch, pictures_of
from transfer_core.backbones.starter.drawn import draw_picture
from transfer_core.backbones.starter.installed import installed_pictures
from transfer_core.backbones.starter.pool import Pixels, write_pool
from transfer_core.backbones.starter.saying import say

TILE = 384  # pixels of a tile's side
STRIDE = 300  # pixels from tile to tile, at most
CUTOUT = 160  # pixels of a cut-out's side
SMALLEST = 24  # pixels: a drawing with less shows nothing
LONGEST = 4.0  # length over width of a drawing
DRAWN_COUNT = 160
OPAQUE = 16  # of 255: less is taken for nothing
# Many alike: people in five colours of skin, flags, buttons, and the icons of desktops.
LEFT_OUT = re.compile(r"skin")
ONE_OF_FOUR = re.compile(r"flag")
ONE_OF_EIGHT = re.compile(r"/(computer/(icons|buttons)|shapes/(stars|jigsaw)|signs_and_symbols/(flags|led)|special)/")


def tiles_of(picture: Image.Image) -> list[Pixels]:
    """Squares of TILE pixels that cover a photograph, whole and, where it is large, at twice the size: uint8 (TILE, TILE, 3)."""
    picture = picture.convert("RGB")
    tiles = []
    for scale in (1, 2):
        factor = scale * TILE / min(picture.size)
        if scale > 1 and factor > 1.1:
            break  # it has no more to show
        width, height = (max(TILE, round(side * factor)) for side in picture.size)
        resized = picture.resize((width, height), Image.Resampling.LANCZOS)
        for left in _places(width):
            for top in _places(height):
                tiles.append(np.asarray(resized.crop((left, top, left + TILE, top + TILE))))
    return tiles


def _places(length: int) -> list[int]:
    """Where tiles begin, at most STRIDE apart, so that they cover a length."""
    count = -(-(length - TILE) // STRIDE) + 1
    return [int(place) for place in np.linspace(0, length - TILE, count)]


def cutout_of(drawing: Image.Image) -> Pixels | None:
    """What is not transparent, in the middle of a square: uint8 (CUTOUT, CUTOUT, 4); None where that is too small or too long."""
    drawing = drawing.convert("RGBA")
    box = drawing.getchannel("A").point(lambda value: 255 * (value > OPAQUE)).getbbox()
    if box is None:
        return None
    drawing = drawing.crop(box)
    short, long = sorted(drawing.size)
    if long < SMALLEST or long > LONGEST * short:
        return None
    width, height = (max(1, round(side * CUTOUT / long)) for side in drawing.size)
    square = Image.new("RGBA", (CUTOUT, CUTOUT), (0, 0, 0, 0))
    drawing = drawing.resize((width, height), Image.Resampling.LANCZOS)
    square.paste(drawing, ((CUTOUT - width) // 2, (CUTOUT - height) // 2))
    return np.asarray(square)


def icons_of(collection: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Name and SVG of each icon of a collection in Iconify's JSON."""
    for name, icon in sorted(collection["icons"].items()):
        left, top = icon.get("left", 0), icon.get("top", 0)
        width, height = (icon.get(side, collection.get(side, 16)) for side in ("width", "height"))
        space = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
        yield name, f'<svg {space} viewBox="{left} {top} {width} {height}">{icon["body"]}</svg>'


def drawings_of(archive: Archive, file: Path) -> Iterator[tuple[str, Image.Image]]:
    """Name and picture of each drawing of an archive, without most of those that are many alike."""
    for number, (name, picture) in enumerate(_drawings(archive, file)):
        if not LEFT_OUT.search(name) and number % _one_of(name) == 0:
            yield name, picture()


def _one_of(name: str) -> int:
    """Of so many drawings with names like this, one is taken."""
    if ONE_OF_EIGHT.search(name):
        return 8
    return 4 if ONE_OF_FOUR.search(name) else 1


def _drawings(archive: Archive, file: Path) -> Iterator[tuple[str, Any]]:
    if archive.kind == "drawings":
        for name, data in pictures_of(archive, file):
            yield name, partial(Image.open, io.BytesIO(data))
        return
    collection = json.loads(dict(pictures_of(archive, file))["package/icons.json"])
    for name, svg in icons_of(collection):
        yield name, partial(rendered, svg)


def rendered(svg: str) -> Image.Image:
    """An icon as a picture of at most CUTOUT pixels a side."""
    from resvg_py import svg_to_bytes

    return Image.open(io.BytesIO(bytes(svg_to_bytes(svg_string=svg, width=CUTOUT, height=CUTOUT))))


@contextmanager
def _of_any_size() -> Iterator[None]:
    """Pillow opens pictures however large: a drawing has 231 million pixels, and what the archives hold is known by their digests."""
    before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


@_of_any_size()
def gather(archives: Path, out: Path, chosen: Sequence[Archive] = ARCHIVES) -> None:
    """Write the pool of all that these archives and the installed packages show into `out`."""
    tiles: list[Pixels] = []
    roots: list[int] = []  # the picture that each tile is of
    names: list[str] = []
    cutouts: list[Pixels] = []

    def take(name: str, picture: Image.Image) -> None:
        new = tiles_of(picture)
        tiles.extend(new)
        roots.extend([len(names)] * len(new))
        names.append(name)

    for name, picture in installed_pictures():
        take(name, picture)
    for archive in chosen:
        file = fetch(archive, archives)
        if archive.kind == "photographs":
            for name, data in pictures_of(archive, file):
                take(name, Image.open(io.BytesIO(data)))
        else:
            cutouts += [cutout for _name, drawing in drawings_of(archive, file) if (cutout := cutout_of(drawing)) is not None]
        say(f"{archive.package}: {len(names)} photographs, {len(cutouts)} cut-outs so far.")
    photographs = len(names)
    for index in range(DRAWN_COUNT):
        take(f"drawn {index}", draw_picture(np.random.default_rng([0, 1, index])))
    digest = write_pool(out, tiles, cutouts, names, roots, photographs)
    say(
        f"Wrote {len(tiles)} tiles of {photographs} photographs and {DRAWN_COUNT} drawn pictures, {len(cutouts)} cut-outs: {digest}."
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="Gather the starter's training pictures.")
    parser.add_argument("--archives", type=Path, required=True, help="folder of the packages; what is missing is fetched into it")
    parser.add_argument("--out", type=Path, required=True, help="folder of the pool to write")
    given = parser.parse_args(arguments)
    gather(given.archives, given.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())

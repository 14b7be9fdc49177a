"""Free pictures in the wheels of scikit-image and scikit-learn: a part of what the starter learns from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files

from PIL import Image

from transfer_core.images.decode import on_white


@dataclass(frozen=True)
class Source:
    """One picture inside an installed wheel, and the terms its package's documentation states for it."""

    package: str
    path: str
    licence: str
    author: str


def _skimage(name: str, licence: str, author: str) -> Source:
    return Source("skimage", f"data/{name}", licence, author)


# Licences as scikit-image 0.26 (docstrings of `skimage.data`) and scikit-learn 1.9 (`datasets/images/README.txt`) state
# them. Left out because no free licence is stated: color, moon, motorcycle (left, right), page, the faces of lfw_subset.
# Left out because they are test patterns: chessboard, phantom, multipage.
SOURCES: tuple[Source, ...] = (
    _skimage("astronaut.png", "public domain", "NASA"),
    _skimage("brick.png", "CC0", "CC0Textures"),
    _skimage("camera.png", "CC0", "Lav Varshney"),
    _skimage("cell.png", "CC0", "Paul Müller and others"),
    _skimage("chelsea.png", "CC0", "Stefan van der Walt"),
    _skimage("clock_motion.png", "public domain", "Stefan van der Walt"),
    _skimage("coffee.png", "CC0", "Rachel Michetti"),
    _skimage("coins.png", "no known copyright restrictions", "Brooklyn Museum"),
    _skimage("grass.png", "CC0", "linolafett"),
    _skimage("gravel.png", "CC0", "CC0Textures"),
    _skimage("horse.png", "CC0", "Andreas Preuss"),
    _skimage("hubble_deep_field.jpg", "public domain", "NASA"),
    _skimage("ihc.png", "no known copyright restrictions", "Center for Microscopy and Molecular Imaging"),
    _skimage("logo.png", "BSD-3-Clause", "the scikit-image team"),
    _skimage("microaneurysms.png", "CC0", "Andreas Maier"),
    _skimage("retina.jpg", "CC0", "Mikael Häggström"),
    _skimage("rocket.jpg", "public domain", "SpaceX"),
    _skimage("text.png", "public domain", "the scikit-image team"),
    Source("sklearn", "datasets/images/china.jpg", "CC BY 2.0", "danielbuechele"),
    Source("sklearn", "datasets/images/flower.jpg", "CC BY 2.0", "vultilion"),
)


def installed_pictures() -> Iterator[tuple[str, Image.Image]]:
    """Name and picture of every source, as RGB."""
    for source in SOURCES:
        with files(source.package).joinpath(*source.path.split("/")).open("rb") as file, Image.open(file) as opened:
            yield f"{source.package}/{source.path}", on_white(opened)

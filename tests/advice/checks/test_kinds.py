"""Pictures of an unusual kind: each is found alone, and the usual ones are left alone."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import shape_picture
from tests.images.test_decode import png
from transfer_core.advice.checks.check import Finding


def drawn() -> Image.Image:
    return shape_picture(0, (64, 48), np.random.default_rng(99))


def moving(path: Path) -> None:
    drawn().save(path.with_suffix(".gif"), save_all=True, append_images=[drawn().rotate(20)])


def turned(path: Path) -> None:
    notes = Image.Exif()
    notes[0x0112] = 6
    drawn().save(path.with_suffix(".jpg"), exif=notes)


def deep(path: Path) -> None:
    Image.fromarray(np.asarray(drawn().convert("L")).astype(np.uint16) * 257).save(path.with_suffix(".png"))


def deep_colours(path: Path) -> None:
    """A PNG of 16 bits a colour, which Pillow can read and not write."""
    rows = np.asarray(drawn()).astype(">u2") * 257
    lines = b"".join(b"\0" + row.tobytes() for row in rows)
    path.with_suffix(".png").write_bytes(png(rows.shape[1], rows.shape[0], 16, 2, zlib.compress(lines)))


KINDS: dict[str, Callable[[Path], None]] = {
    "too-small": lambda path: drawn().resize((16, 12)).save(path.with_suffix(".jpg")),
    "animated": moving,
    "transparent": lambda path: drawn().convert("RGBA").save(path.with_suffix(".png")),
    "sixteen-bit": deep,
    "sixteen-bit, in colour": deep_colours,
    "cmyk": lambda path: drawn().convert("CMYK").save(path.with_suffix(".jpg")),
    "rotated": turned,
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_one_finding(
    kind: str, pictures: Callable[..., Path], look: Callable[..., dict[str, Finding]], names: Callable[..., list[str]]
) -> None:
    folder = pictures(count=14)
    KINDS[kind](folder / "circle" / "odd")
    found = look(folder)
    name = kind.partition(",")[0]
    assert list(found) == [name]
    assert [Path(each).stem for each in names(folder, found[name])] == ["odd"]


def test_a_set_of_small_pictures_is_as_it_is(pictures: Callable[..., Path], look: Callable[..., dict[str, Finding]]) -> None:
    assert look(pictures(count=14, size=(32, 32))) == {}


def test_the_smallest_comes_first(
    pictures: Callable[..., Path], look: Callable[..., dict[str, Finding]], names: Callable[..., list[str]]
) -> None:
    folder = pictures(count=14, size=(640, 480))
    for side in (60, 20, 90, 40):
        drawn().resize((side, side)).save(folder / "circle" / f"{side}.jpg")
    found = look(folder)
    # 90 pixels are few beside 480, and enough to see something.
    assert [Path(name).stem for name in names(folder, found["too-small"])] == ["20", "40", "60"]
    assert found["too-small"].values["size"] == "20 × 20"

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from transfer_core.images.augmentation import NONE, PRESETS, Augmentation
from transfer_core.images.pixels import PixelMap, Source
from transfer_core.images.preview import VIEWS, draw_examples
from transfer_core.images.view import View

CONTENTS = [f"{number:032x}" for number in range(3)]


@pytest.fixture
def pixels(tmp_path: Path) -> PixelMap:
    """Three pictures that are light on the left."""
    ground = np.linspace(220, 30, 80)[None, :, None].repeat(60, 0).repeat(3, 2)
    for number, content in enumerate(CONTENTS):
        Image.fromarray((ground * (1 - number / 4)).astype(np.uint8)).save(tmp_path / f"{content}.png")
    made = PixelMap(tmp_path / "pixels", View(64, 72))
    assert made.decode([Source(content, tmp_path / f"{content}.png") for content in CONTENTS], 1) == []
    return made


def shown(file: Path) -> np.ndarray:
    return np.asarray(Image.open(file), float)


def test_each_picture_as_it_is_and_in_several_views(pixels: PixelMap, tmp_path: Path) -> None:
    """The first is what prediction sees, in the order that was asked for; the others are as the augmentation says."""
    rows = draw_examples(pixels, CONTENTS[::-1], Augmentation(mirror=True), 3, tmp_path / "it")
    assert [len(row) for row in rows] == [1 + VIEWS] * 3
    mirrored = []
    for row, content in zip(rows, CONTENTS[::-1], strict=True):
        seen = pixels.view.cut(pixels.rows()[pixels.positions([content])][0]).astype(float)
        assert np.abs(shown(row[0]) - seen).mean() < 3
        for file in row[1:]:
            kept, flipped = (np.abs(shown(file) - other).mean() < 3 for other in (seen, seen[:, ::-1]))
            assert kept != flipped
            mirrored.append(flipped)
    assert 2 < sum(mirrored) < 13


def test_the_same_seed_shows_the_same(pixels: PixelMap, tmp_path: Path) -> None:
    def bytes_of(name: str, seed: int, augmentation: Augmentation) -> list[bytes]:
        rows = draw_examples(pixels, CONTENTS, augmentation, seed, tmp_path / name)
        return [file.read_bytes() for row in rows for file in row]

    first = bytes_of("first", 1, PRESETS["strong"])
    assert first == bytes_of("again", 1, PRESETS["strong"]) and len(set(first)) == len(first)
    other = bytes_of("other", 2, PRESETS["strong"])
    assert first[:: 1 + VIEWS] == other[:: 1 + VIEWS] and not set(first[1 : 1 + VIEWS]) & set(other)
    assert len(set(bytes_of("none", 1, NONE))) == len(CONTENTS)


def test_it_stops_when_it_is_asked_to(pixels: PixelMap, tmp_path: Path) -> None:
    def checkpoint() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        draw_examples(pixels, CONTENTS, NONE, 0, tmp_path / "it", checkpoint=checkpoint)
    assert not list((tmp_path / "it").iterdir())

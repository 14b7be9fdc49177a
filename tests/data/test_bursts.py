"""Bursts: what was taken in one go is found by name, time and looks; what merely lies side by side is not."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image, ImageFilter

from transfer_core.data.bursts import find_bursts, in_a_row
from transfer_core.images.fingerprint import fingerprint


class Shot(NamedTuple):
    relative: str
    taken: str | None = None
    width: int | None = 640
    height: int | None = 480
    source: int = 0


def pairs(*shots: Shot) -> list[tuple[int, int]]:
    return [(int(first), int(second)) for first, second in in_a_row(shots)]


def test_numbers_in_a_row() -> None:
    """One number may be missing, two may not; other folders, sizes, sources and extensions are other series."""
    assert pairs(Shot("a/IMG_7.jpg"), Shot("a/IMG_8.jpg"), Shot("a/IMG_10.jpg"), Shot("a/IMG_13.jpg")) == [(0, 1), (1, 2)]
    assert pairs(Shot("a/IMG_0009.jpg"), Shot("a/IMG_0010.JPG")) == [(0, 1)]
    first = Shot("a/IMG_7.jpg")
    others = (
        Shot("b/IMG_8.jpg"),
        Shot("a/DSC_8.jpg"),
        Shot("a/IMG_8.png"),
        Shot("a/IMG_8.jpg", width=320),
        Shot("a/IMG_8.jpg", source=1),
    )
    for other in others:
        assert pairs(first, other) == [], other
    assert pairs(first, Shot("a/IMG_8.jpg", width=480, height=640)) == [(0, 1)], "the camera was turned"


def test_identifiers_are_passed_over() -> None:
    one = "leaf/013b7c70-5e3b-42b7-86af-167815a5b04f___HL_7480_masked.jpg"
    other = "leaf/f04f426c-8f6f-400a-94f9-c513255d2fa4___HL_7481_masked.jpg"
    assert pairs(Shot(other), Shot(one)) == [(0, 1)]


def test_times_in_a_row() -> None:
    """By time names don't matter; a pause parts numbers that follow each other; a clock that was never set says nothing."""
    assert pairs(Shot("a/x.jpg", "2026:05:31 14:03:59"), Shot("a/y.jpg", "2026:05:31 14:04:02")) == [(0, 1)]
    assert pairs(Shot("a/x.jpg", "2026:05:31 14:03:59"), Shot("a/y.jpg", "2026:05:31 14:04:03")) == []
    assert pairs(Shot("a/1.jpg", "2026:05:31 14:03:59"), Shot("a/2.jpg", "2026:05:31 14:05:30")) == []
    assert pairs(Shot("a/1.jpg", "2026:05:31 14:03:59"), Shot("a/2.jpg", "2026:05:31 14:04:30")) == [(0, 1)]
    for unset in ("0000:00:00 00:00:00", "    :  :     :  :  ", "yesterday"):
        assert pairs(Shot("a/1.jpg", unset), Shot("a/2.jpg", "2026:05:31 14:05:30")) == [(0, 1)]
        assert pairs(Shot("a/x.jpg", unset), Shot("a/y.jpg", unset)) == []


def test_nothing_and_one() -> None:
    assert in_a_row([]).shape == in_a_row([Shot("1.jpg")]).shape == (0, 2)


@pytest.fixture
def scene() -> Image.Image:
    """Soft shapes as large as a tenth of the picture."""
    random = np.random.default_rng(3)
    values = random.integers(0, 256, (24, 32, 3), dtype=np.uint8)
    return Image.fromarray(values).resize((640, 480), Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(2))


def test_a_burst_must_look_alike(scene: Image.Image) -> None:
    """The next number shows the scene a little moved and something in front of it: a burst. The one after shows another: not one."""
    moved = scene.crop((20, 10, 640, 480)).resize((640, 480))
    moved.paste((30, 30, 30), (300, 200, 400, 330))
    other = scene.transpose(Image.Transpose.ROTATE_180)
    prints = np.stack([fingerprint(image) for image in (other, scene, moved)])
    shots = [Shot("a/1.jpg"), Shot("a/2.jpg"), Shot("a/3.jpg"), Shot("a/4.jpg"), Shot("a/9.jpg")]
    found = find_bursts(shots, prints, np.array([1, 2, 0, 0, 1]))
    assert found.indices.tolist() == [[0, 1]], "3 and 4 are one picture, and 9 is too far from 4"
    assert 0.7 <= found.similarity[0] < 1
    assert len(find_bursts(shots, prints, np.array([1, 2, 0, 0, 1]), np.array([0])).indices) == 0
    again = find_bursts(shots, prints, np.array([1, 2, 0, 0, 1]), np.array([2]), threads=2)
    assert again.indices.tolist() == [[0, 1]] and np.array_equal(again.similarity, found.similarity)

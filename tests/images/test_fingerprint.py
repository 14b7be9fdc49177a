"""Fingerprints: what they hold, that size and encoding hardly change them, and that they are kept by content."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from transfer_core.images.fingerprint import (
    COLOUR_SIDE,
    LENGTH,
    SIDE,
    FingerprintStore,
    brightness_of,
    colour_of,
    fingerprint,
)


@pytest.fixture
def picture() -> Image.Image:
    random = np.random.default_rng(0)
    return Image.fromarray(random.integers(0, 256, (15, 20, 3), dtype=np.uint8)).resize((400, 300), Image.Resampling.BICUBIC)


def test_brightness_and_colour_lie_where_they_are_said_to() -> None:
    """The left half red, the right half grey: bright as BT.601 says, reddish on the left only."""
    image = Image.new("RGB", (120, 80), (128, 128, 128))
    image.paste((200, 0, 0), (0, 0, 60, 80))
    row = fingerprint(image)
    assert row.shape == (LENGTH,) and row.dtype == np.uint8
    brightness, colour = brightness_of(row[None])[0], colour_of(row[None])[0]
    assert brightness.shape == (SIDE, SIDE) and colour.shape == (2, COLOUR_SIDE, COLOUR_SIDE)
    assert np.abs(brightness[:, : SIDE // 2 - 2] - 0.299 * 200).max() <= 1
    assert np.abs(brightness[:, SIDE // 2 + 2 :] - 128).max() <= 1
    blue, red = colour
    assert (red[:, : COLOUR_SIDE // 2 - 1] > 90).all() and (blue[:, : COLOUR_SIDE // 2 - 1] < -25).all()
    assert np.abs(colour[:, :, COLOUR_SIDE // 2 + 1 :]).max() <= 1


def test_size_and_encoding_hardly_change_it(picture: Image.Image) -> None:
    """Half as large, twice as large, stretched, or as a JPEG: a few grey levels at most, on average less than two."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=70)
    copies = [picture.resize(size) for size in ((200, 150), (800, 600), (400, 400))] + [Image.open(buffer)]
    wanted = fingerprint(picture).astype(int)
    for copy in copies:
        assert np.abs(fingerprint(copy).astype(int) - wanted).mean() < 2


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (3000, 2)])
def test_any_shape_has_one(size: tuple[int, int]) -> None:
    """Also what is thinner than a pixel of the fingerprint."""
    row = fingerprint(Image.new("RGB", size, (10, 200, 30)))
    assert row.shape == (LENGTH,) and len(np.unique(row[: SIDE * SIDE])) == 1


def test_a_large_picture_is_first_reduced_and_gives_the_same(picture: Image.Image) -> None:
    large = picture.resize((2000, 1500), Image.Resampling.BICUBIC)
    assert np.abs(fingerprint(large).astype(int) - fingerprint(picture)).mean() < 2


def test_they_are_kept_by_content(picture: Image.Image, tmp_path: Path) -> None:
    """What is missing is told, what is there comes back in the order asked for, also to another process."""
    rows = np.stack([fingerprint(picture), fingerprint(picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT))])
    store = FingerprintStore(tmp_path)
    with store.lock():
        store.append(["0a" * 16, "0b" * 16], rows)
    again = FingerprintStore(tmp_path)
    assert again.missing(["0b" * 16, "0c" * 16, "0a" * 16]) == ["0c" * 16]
    assert np.array_equal(again.rows()[again.positions(["0b" * 16, "0a" * 16])], rows[::-1])

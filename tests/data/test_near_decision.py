"""What is called a copy: each of the conditions turns down what the others would let pass."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from transfer_core.data import near_decision
from transfer_core.data.near_decision import are_copies
from transfer_core.images.agreement import Agreement
from transfer_core.images.fingerprint import fingerprint

SAME = np.eye(2, 3, dtype=np.float32)[None]
Row = NDArray[np.uint8]


def patchwork(size: int = 256, seed: int = 0, tint: tuple[int, int, int] = (255, 255, 255)) -> Image.Image:
    """Something to see in every place, in shades of one colour."""
    values = np.random.default_rng(seed).uniform(0.2, 1, (32, 32, 1)) * np.array(tint)
    return Image.fromarray(values.astype(np.uint8)).resize((size, size), Image.Resampling.NEAREST)


def decided(picture: Image.Image, wanted: Image.Image, maps: NDArray[np.float32] = SAME) -> bool:
    return bool(are_copies(fingerprint(picture)[None], fingerprint(wanted)[None], maps)[1][0])


def test_the_same_is_a_copy_and_another_is_not() -> None:
    assert decided(patchwork(), patchwork(320))
    assert not decided(patchwork(), patchwork(seed=1))


def test_contrast_may_change_a_little() -> None:
    picture = patchwork()
    assert decided(picture, picture.point(lambda value: int(0.8 * value)))
    assert not decided(picture, picture.point(lambda value: int(0.4 * value)))


def test_colours_must_be_alike_or_gone() -> None:
    """Red and green patches of the same shades are two pictures; a grey copy of the red one is a copy."""
    red, green = patchwork(tint=(250, 60, 60)), patchwork(tint=(60, 160, 60))
    assert not decided(red, green)
    assert decided(red, red.convert("L").convert("RGB"))


@pytest.mark.parametrize(
    "change", [((1.4, 0, 0), (0, 1, 0)), ((1, 0, 0), (0, 0.6, 0)), ((1, 0.2, 0), (0, 1, 0)), ((1, 0, 0), (-0.2, 1, 0))]
)
def test_the_map_must_be_one_of_a_copy(change: tuple[tuple[float, ...], ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Squeezed or sheared by much: turned down by the map, whatever is seen through it."""
    everything = Agreement(*(np.full(1, value, np.float32) for value in (1, 1, 64)))
    monkeypatch.setattr(near_decision, "agreement", lambda wanted, seen, inside: everything)
    maps = np.array([change], np.float32)
    assert decided(patchwork(), patchwork())
    assert not decided(patchwork(), patchwork(), maps)


def test_one_place_inside_that_differs_makes_another_picture() -> None:
    picture = patchwork()
    changed = picture.copy()
    changed.paste(patchwork(seed=2).crop((0, 0, 48, 48)), (100, 100))
    assert not decided(picture, changed)


def disc(x: int, radius: int = 45) -> Image.Image:
    image = Image.new("RGB", (256, 256), "white")
    ImageDraw.Draw(image).ellipse((x - radius, 128 - radius, x + radius, 128 + radius), fill=(30, 30, 30))
    return image


def test_a_simple_thing_elsewhere_is_another_one() -> None:
    """The same disc in the same place is a copy; 16 pixels to the right it is not, though it can be laid over the first."""
    moved = np.array([[[1, 0, -16 / 128], [0, 1, 0]]], np.float32)
    assert decided(disc(128), disc(128))
    agreed, copies = are_copies(fingerprint(disc(112))[None], fingerprint(disc(128))[None], moved)
    assert agreed[0] > near_decision.COPY_OF_LITTLE and not copies[0]

"""Agreement in every place: what light, shading and marks at the edge may do to it, and what they may not."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from transfer_core.images.agreement import agreement, band

SIDE = 64
INSIDE = np.ones((1, SIDE, SIDE), bool)
Stack = NDArray[np.float32]


@pytest.fixture
def texture() -> Stack:
    """Noise of about 4 pixels: something to see in every place."""
    random = np.random.default_rng(0)
    coarse = random.uniform(0, 255, (32, 32)).astype(np.float32)
    return np.kron(coarse, np.ones((2, 2), np.float32))[None]


def test_the_same_agrees_and_another_does_not(texture: Stack) -> None:
    same = agreement(texture, texture, INSIDE)
    assert same.overall[0] > 0.99 and same.weakest[0] > 0.99 and same.places[0] > 50
    other = agreement(texture, texture[:, ::-1].copy(), INSIDE)
    assert abs(other.overall[0]) < 0.3 and other.weakest[0] < 0


def test_light_and_shading_change_nothing(texture: Stack) -> None:
    slope = np.linspace(-60, 60, SIDE, dtype=np.float32)
    changed = 0.5 * texture + 40 + slope[:, None]
    found = agreement(texture, changed, INSIDE)
    assert found.overall[0] > 0.97 and found.weakest[0] > 0.97


def test_a_mark_at_the_edge_is_spared_but_not_inside(texture: Stack) -> None:
    """A black strip of an eighth along the lower edge; the same in the middle of the picture."""
    at_edge, inside = texture.copy(), texture.copy()
    at_edge[:, -8:] = 0
    inside[:, 24:32, 16:48] = np.random.default_rng(1).uniform(0, 255, (8, 32))
    assert agreement(texture, at_edge, INSIDE).overall[0] > 0.9
    found = agreement(texture, inside, INSIDE)
    assert found.overall[0] < 0.95 and found.weakest[0] < 0.7


def test_much_at_the_edge_is_too_much(texture: Stack) -> None:
    """The spared share is limited: a frame all around the picture is a difference."""
    framed = np.random.default_rng(2).uniform(0, 255, texture.shape).astype(np.float32)
    framed[:, 8:-8, 8:-8] = texture[:, 8:-8, 8:-8]
    assert agreement(texture, framed, INSIDE).overall[0] < 0.8


def test_what_is_not_seen_does_not_count(texture: Stack) -> None:
    """The right half is outside: whatever stands there, the rest agrees, in half as many places."""
    half = INSIDE.copy()
    half[:, :, 32:] = False
    seen = texture.copy()
    seen[:, :, 35:] = 0  # the band of the last that is seen reaches two pixels further
    found = agreement(texture, seen, half)
    assert found.overall[0] > 0.95 and found.weakest[0] > 0.95 and found.places[0] < 33


def test_where_there_is_nothing_to_see_nothing_agrees() -> None:
    """Flat pictures and slopes with the noise of a JPEG: 0, and not the chance of noise divided by noise."""
    random = np.random.default_rng(3)
    flat = np.full((1, SIDE, SIDE), 90, np.float32) + random.normal(0, 0.3, (1, SIDE, SIDE)).astype(np.float32)
    found = agreement(flat, flat, INSIDE)
    assert found.overall[0] < 0.3 and np.isfinite(found.places[0])
    slope = np.broadcast_to(np.linspace(0, 255, SIDE, dtype=np.float32), (1, SIDE, SIDE))
    assert agreement(slope, slope, INSIDE).overall[0] < 0.9


def test_the_band_is_between() -> None:
    """A wave of 7 pixels passes, one of 32 hardly, a constant not at all; the shape stays."""
    x = np.arange(SIDE, dtype=np.float32)

    def strength(period: float) -> float:
        wave = np.broadcast_to(np.sin(2 * np.pi * x / period), (1, SIDE, SIDE)).astype(np.float32)
        return float(np.abs(band(wave)[:, 8:-8, 8:-8]).max())

    assert strength(7) > 0.3 > 10 * 0.01 > strength(32) and not band(np.full((1, SIDE, SIDE), 7, np.float32)).any()

"""Laying one picture over another: the map is found, in spite of other light and of marks."""

from __future__ import annotations

import numpy as np
import pytest

from transfer_core.images import alignment
from transfer_core.images.alignment import Stack, aligned, grid, halved, warped

SIDE = 64
SAME = np.array([[[1, 0, 0], [0, 1, 0]]], np.float32)


def drawn(maps: Stack) -> Stack:
    """A smooth picture as it is seen through `maps [B, 2, 3]`, exactly: nothing is interpolated."""
    x, y = grid(SIDE)
    x, y = np.moveaxis(maps @ np.stack([x, y, np.ones_like(x)]), 1, 0)
    values = np.sin(5 * x + 1) * np.cos(4 * y) + 0.5 * np.sin(7 * y + 3 * x) + 0.3 * np.cos(9 * x - 5 * y)
    return (128 + 50 * values).reshape(-1, SIDE, SIDE).astype(np.float32)


def some_maps(count: int) -> Stack:
    """Parts of 0.85 to 1 of a side, anywhere, turned and sheared a little."""
    random = np.random.default_rng(1)
    maps = random.uniform(-0.05, 0.05, (count, 2, 3))
    maps[:, [0, 1], [0, 1]] = random.uniform(0.85, 1, (count, 2))
    return maps.astype(np.float32)


def test_a_map_shows_what_it_says() -> None:
    """Interpolated values are close to the exact ones; what lies beyond the edge is said to."""
    maps = some_maps(8)
    seen, inside = warped(drawn(np.repeat(SAME, 8, 0)), maps)
    off = np.abs(seen - drawn(maps))[inside]
    # The outermost half pixel is that of its neighbour.
    assert off.mean() < 0.3 and np.quantile(off, 0.98) < 2
    beyond = np.array([[[1, 0, 0.5], [0, 1, 0]]], np.float32)
    _seen, inside = warped(drawn(SAME), beyond)
    assert inside[0, :, : SIDE * 3 // 4].all() and not inside[0, :, SIDE * 3 // 4 + 1 :].any()


@pytest.mark.parametrize(("gain", "offset"), [(1.0, 0.0), (1.25, 0.0), (0.6, 40.0)])
def test_the_map_is_found(gain: float, offset: float) -> None:
    """To a tenth of a pixel from up to four pixels away, also in other light."""
    maps = some_maps(32)
    found = aligned(drawn(maps), gain * drawn(np.repeat(SAME, 32, 0)) + offset, np.repeat(SAME, 32, 0), 12)
    assert np.abs(found - maps).max() < 0.1 * 2 / SIDE


def test_marks_do_not_pull(monkeypatch: pytest.MonkeyPatch) -> None:
    """A white square and a black corner move the map by less than 1.5 pixels, and less than half as far as if all pixels were trusted."""
    maps = some_maps(16)
    wanted, pictures = drawn(maps), drawn(np.repeat(SAME, 16, 0))
    wanted[:, 10:20, 40:50] = 255
    wanted[:, -4:, :20] = 0

    def off() -> float:
        return float(np.abs(aligned(wanted, pictures, np.repeat(SAME, 16, 0), 20) - maps).max()) * SIDE / 2

    found = off()
    monkeypatch.setattr(alignment, "trusted", lambda seen, wanted, inside: inside.astype(np.float32))
    assert found < 1.5 and found < off() / 2


def test_a_flat_picture_stays_where_it_is() -> None:
    flat = np.full((1, SIDE, SIDE), 70, np.float32)
    assert np.allclose(aligned(flat, flat, SAME, 3), SAME)
    assert np.isfinite(aligned(flat, drawn(SAME), SAME, 3)).all()


def test_halving_averages() -> None:
    picture = np.arange(16, dtype=np.float32).reshape(1, 4, 4)
    assert halved(picture).tolist() == [[[2.5, 4.5], [10.5, 12.5]]]

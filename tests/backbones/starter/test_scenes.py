"""Scenes: the same for the same number, in range, and made of everything that is in the pool."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from transfer_core.backbones.starter import scenes
from transfer_core.backbones.starter.pool import Pool
from transfer_core.backbones.starter.scenes import Scenes


@pytest.fixture
def pool(pool_folder: Path) -> Pool:
    return Pool.read(pool_folder)


@pytest.mark.parametrize("pixels", [16, 33])
def test_batches_are_a_function_of_their_number(pool: Pool, pixels: int) -> None:
    make = Scenes(pool, 0, batch=32, pixels=pixels)
    one = make(3)
    assert one.shape == (32, 3, pixels, pixels) and one.min() >= 0 and one.max() <= 1 and one.std() > 0.05
    make(4)
    assert torch.equal(one, make(3)) and not torch.equal(one, make(4))
    assert not torch.equal(one, Scenes(pool, 1, batch=32, pixels=pixels)(3))


def test_a_cutout_lies_on_top_where_it_is_put(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without turning, shearing, light and shadow, a white one of half the size covers the middle quarter and nothing else."""
    make = Scenes(pool, 0, batch=1, pixels=32)
    pool.cutouts[:] = 255
    pictures = torch.zeros(1, 3, 32, 32)
    still = np.array([[[2.0, 0, 0], [0, 2.0, 0]]])
    monkeypatch.setattr(scenes, "_places", lambda _generator, _side: still)
    monkeypatch.setattr(scenes, "LIT_SHARE", 0.0)
    monkeypatch.setattr(scenes, "SHADOW_SHARE", 0.0)
    make._paste(np.random.default_rng(0), pictures, np.array([0]))
    assert pictures[0, :, 9:23, 9:23].min() > 0.5
    assert pictures[0, :, :7].max() == pictures[0, :, :, 25:].max() == 0

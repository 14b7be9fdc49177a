"""The pool: what was written is read, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from transfer_core.backbones.starter.pool import DRAWN_SHARE, Pool
from transfer_core.errors import DataError


def test_drawn_pictures_have_their_share_and_three_tiles_of_a_photograph_count_less_than_three_times(pool_folder: Path) -> None:
    pool = Pool.read(pool_folder)
    assert pool.tiles.shape == (5, 3, 48, 48) and pool.cutouts.shape == (3, 4, 20, 20)
    assert pool.chances.sum() == pytest.approx(1) and pool.chances[4] == pytest.approx(DRAWN_SHARE)
    assert pool.chances[:3].sum() == pytest.approx(3**0.5 * pool.chances[3])  # three tiles of one, and the only one of another


@pytest.mark.parametrize("name", ["tiles", "cutouts"])
def test_an_altered_pool_is_refused(pool_folder: Path, name: str) -> None:
    array = np.load(pool_folder / f"{name}.npy")
    array[0, 0, 0, 0] ^= 1
    np.save(pool_folder / f"{name}.npy", array)
    with pytest.raises(DataError, match="not as it was gathered"):
        Pool.read(pool_folder)

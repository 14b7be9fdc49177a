"""The pool that training pictures are made of: what `gather` writes and `Scenes` draws from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from transfer_core.errors import DataError
from transfer_core.files import digest_of, read_json, write_json, write_whole

DRAWN_SHARE = 0.1  # share of backgrounds that come from pictures drawn by formula
ARRAYS = ("tiles", "cutouts")

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Pool:
    """What pictures are made of: tiles uint8 (count, 3, side, side), cut-outs uint8 (count, 4, side, side), each tile's chance."""

    tiles: Tensor
    cutouts: Tensor
    chances: NDArray[np.float64]
    digest: str

    @classmethod
    def read(cls, folder: Path, device: torch.device | str = "cpu") -> Pool:
        """What `write_pool` wrote: 2 GB, which stay in the files where the device is the processor; raises DataError if altered."""
        told: dict[str, Any] = read_json(folder / "pool.json")
        if told["digest"] != _digest(folder):
            raise DataError(f"{folder} is not as it was gathered.", code="pool-altered", fix="Gather the pictures again.")
        roots = np.array(told["roots"])
        # A large picture has more to show than a small one, though not as much more as it has tiles.
        chances = np.bincount(roots)[roots] ** -0.5
        drawn = roots >= told["photographs"]
        chances[drawn] *= DRAWN_SHARE / chances[drawn].sum()
        chances[~drawn] *= (1 - DRAWN_SHARE) / chances[~drawn].sum()
        tiles, cutouts = (
            # Nobody writes into them, but torch warns of arrays that could not be written to: "c" would copy what is.
            torch.from_numpy(np.load(folder / f"{name}.npy", mmap_mode="c")).permute(0, 3, 1, 2).to(device)
            for name in ARRAYS
        )
        return cls(tiles, cutouts, chances / chances.sum(), told["digest"])


def write_pool(
    folder: Path, tiles: Sequence[Pixels], cutouts: Sequence[Pixels], pictures: list[str], roots: list[int], photographs: int
) -> str:
    """Write the pool; returns its digest. `roots` names the picture of each tile; the first `photographs` pictures are such."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pool.json").unlink(missing_ok=True)  # a break must not leave it beside arrays of another pool
    for name, arrays in zip(ARRAYS, (tiles, cutouts), strict=True):
        write_whole(folder / f"{name}.npy", partial(_save, np.stack(arrays)))
    digest = _digest(folder)
    write_json(folder / "pool.json", {"pictures": pictures, "roots": roots, "photographs": photographs, "digest": digest})
    return digest


def _digest(folder: Path) -> str:
    return hashlib.sha256("".join(digest_of(folder / f"{name}.npy") for name in ARRAYS).encode()).hexdigest()


def _save(array: Pixels, target: BinaryIO) -> None:
    np.save(target, array)

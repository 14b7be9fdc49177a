"""Gathering: what covers a photograph, what is cut out of a drawing, and the same pool each time."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from transfer_core.backbones.starter import gather
from transfer_core.backbones.starter.archives import Archive

pytest.importorskip("resvg_py", reason="drawings are rendered by resvg-py, a development extra")
pytest.importorskip("skimage", reason="some pictures are in scikit-image, a development extra")
pytest.importorskip("sklearn", reason="some pictures are in scikit-learn, a development extra")


@pytest.mark.parametrize(("size", "count"), [((200, 200), 1), ((400, 800), 3), ((800, 800), 1 + 9)])
def test_tiles_cover_a_photograph(size: tuple[int, int], count: int) -> None:
    tiles = gather.tiles_of(Image.new("RGB", size))
    assert len(tiles) == count and {tile.shape for tile in tiles} == {(gather.TILE, gather.TILE, 3)}


def test_a_cutout_is_what_can_be_seen_in_the_middle() -> None:
    drawing = Image.new("RGBA", (100, 100), (0, 0, 0, 0))
    drawing.paste((255, 0, 0, 255), (10, 20, 50, 40))
    cutout = gather.cutout_of(drawing)
    assert cutout is not None and cutout.shape == (gather.CUTOUT, gather.CUTOUT, 4)
    rows = np.flatnonzero(cutout[:, gather.CUTOUT // 2, 3] > 128)
    assert (rows[0], rows[-1]) == (gather.CUTOUT // 4, 3 * gather.CUTOUT // 4 - 1)
    assert gather.cutout_of(Image.new("RGBA", (100, 100), (0, 0, 0, 0))) is None  # nothing
    assert gather.cutout_of(Image.new("RGBA", (10, 10), "red")) is None  # too small
    assert gather.cutout_of(Image.new("RGBA", (100, 10), "red")) is None  # too long


def test_many_alike_are_mostly_left_out(archives: Callable[[], tuple[Path, list[Archive]]]) -> None:
    folder, made = archives()
    names = [name for name, _drawing in gather.drawings_of(made[0], folder / made[0].file)]
    assert names == ["apple", "flag-c", "flag-g"]  # no skins; of seven flags, at places 4 and 8 of all, two


def test_the_same_pool_each_time(
    archives: Callable[[], tuple[Path, list[Archive]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, made = archives()
    monkeypatch.setattr(gather, "DRAWN_COUNT", 1)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 800)  # less than half of the drawing: the archive has such, and they are taken
    monkeypatch.setattr(gather, "installed_pictures", lambda: [("one", Image.new("RGB", (50, 40), "blue"))])
    for out in ("a", "b"):
        gather.gather(folder, tmp_path / out, made)
    assert Image.MAX_IMAGE_PIXELS == 800
    told = json.loads((tmp_path / "a" / "pool.json").read_text(encoding="utf-8"))
    assert told["pictures"] == ["one", "usr/share/game/images/land/hill.jpg", "drawn 0"] and told["photographs"] == 2
    assert len(told["roots"]) == len(np.load(tmp_path / "a" / "tiles.npy"))
    assert len(np.load(tmp_path / "a" / "cutouts.npy")) == 4  # three icons, one drawing
    assert (tmp_path / "a" / "pool.json").read_bytes() == (tmp_path / "b" / "pool.json").read_bytes()

"""Where a training's batches come from: the same pictures, whether they lie on the device or are read for each batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from transfer_core.features.boundary import BoundaryStore, view_key
from transfer_core.images.view import View
from transfer_core.training import feeds
from transfer_core.training.feeds import KeptFeed, Rows, has_room

CPU = torch.device("cpu")


def test_rows_are_the_same_on_the_device_and_off_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that are asked for, in any order and more than once; brought there in one go, they are not read again."""
    kept = np.arange(700 * 6, dtype=np.float16).reshape(700, 2, 3)
    positions, places = np.arange(699, 99, -1), np.array([5, 0, 5, 599])
    expected = torch.from_numpy(kept[positions[places]])
    read = Rows(kept, positions, CPU)
    assert torch.equal(read.take(places), expected)
    monkeypatch.setattr(feeds, "has_room", lambda _device, size: size == 600 * 6 * 2)
    resident = Rows(kept, positions, CPU)
    assert torch.equal(resident.take(places), expected)
    kept[:] = 0
    assert torch.equal(resident.take(places), expected) and not read.take(places).any()


def test_only_a_card_with_room_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of what is free is left to the training; a processor's memory map is read as it is."""
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _device: (1000, 2000))
    assert has_room(torch.device("cuda"), 500) and not has_room(torch.device("cuda"), 501)
    assert not has_room(CPU, 1)


def test_views_of_a_picture_are_drawn_and_scored_by_the_first(tmp_path: Path) -> None:
    """Every view of the picture asked for comes, none of another; the one that is scored is the picture as it is."""
    contents = [f"{number:032x}" for number in range(4)]
    store = BoundaryStore(tmp_path, "net", "0" * 16, View(32, 40), 32, 1, (1,))
    for view in (1, 0, 2):
        store.append([view_key(content, view) for content in contents], np.array([[10 * view + n] for n in range(4)], np.float32))
    feed = KeptFeed(store, contents, range(3), 1, CPU)
    places = np.array([2, 0, 3])
    assert feed.plain(places).flatten().tolist() == [2, 0, 3]
    drawn = [feed.drawn(places, torch.Generator().manual_seed(seed)).flatten() for seed in range(30)]
    assert {tuple(each.tolist()) for each in drawn} > {(2, 0, 3)}
    for place, number in enumerate((2, 0, 3)):
        assert {int(each[place]) for each in drawn} == {number, 10 + number, 20 + number}

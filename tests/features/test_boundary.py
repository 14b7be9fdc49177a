from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from transfer_core.backbones.graph import feature_graph
from transfer_core.backbones.network import load_backbone
from transfer_core.backbones.weights import kept_weights
from transfer_core.features.boundary import BoundaryStore, GraphToBoundary, TorchToBoundary, keep_views
from transfer_core.images.pixels import PixelMap, Source
from transfer_core.images.view import View

VIEW = View(224, 232)
CONTENTS = [f"{number:032x}" for number in range(1, 6)]


class Summary:
    """In place of frozen stages: the mean colour of what it is shown, and how often it was asked."""

    def __init__(self) -> None:
        self.shown = 0

    def __call__(self, pixels):
        self.shown += len(pixels)
        return pixels.mean((1, 2)).astype(np.float16)


@pytest.fixture
def pixels(tmp_path: Path) -> PixelMap:
    generator = np.random.default_rng(0)
    sources = []
    for content in CONTENTS:
        small = Image.fromarray(generator.integers(0, 256, (6, 6, 3), dtype=np.uint8))
        small.resize((260, 240), Image.Resampling.BICUBIC).save(tmp_path / f"{content}.png")
        sources.append(Source(content, tmp_path / f"{content}.png"))
    pixels = PixelMap(tmp_path / "pixels", VIEW)
    assert pixels.decode(sources, 1) == []
    return pixels


def store_in(folder: Path) -> BoundaryStore:
    return BoundaryStore(folder, "starter", "d" * 64, VIEW, VIEW.crop, 2, (3,))


def test_a_view_is_the_same_whatever_it_is_computed_with(pixels: PixelMap, tmp_path: Path) -> None:
    """A run that was killed, or that has new pictures, goes on with the very views it would have had."""
    whole, parts = store_in(tmp_path / "whole"), store_in(tmp_path / "parts")
    keep_views(Summary(), pixels, whole, CONTENTS, range(3))
    for contents in (CONTENTS[3:], CONTENTS[:1], CONTENTS):
        keep_views(Summary(), pixels, parts, contents, range(3))
    for number in range(3):
        expected = whole.rows()[whole.places(CONTENTS, number)]
        assert np.array_equal(expected, parts.rows()[parts.places(CONTENTS, number)])
    first, second = (np.asarray(whole.rows()[whole.places(CONTENTS, number)], float) for number in (1, 2))
    assert (np.abs(first - second).max(1) > 1).all()


def test_nothing_is_computed_twice(pixels: PixelMap, tmp_path: Path) -> None:
    summary = Summary()
    keep_views(summary, pixels, store_in(tmp_path / "kept"), CONTENTS, range(2))
    keep_views(summary, pixels, store_in(tmp_path / "kept"), [*CONTENTS, CONTENTS[0]], range(3))
    assert summary.shown == 3 * len(CONTENTS)


def test_the_first_view_is_what_prediction_sees(pixels: PixelMap, tmp_path: Path) -> None:
    store = store_in(tmp_path / "kept")
    keep_views(Summary(), pixels, store, CONTENTS, [0])
    expected = VIEW.cut(pixels.rows()[pixels.positions(CONTENTS)]).mean((1, 2))
    assert np.allclose(store.rows()[store.places(CONTENTS, 0)], expected, atol=0.1)


def test_smaller_views_show_the_same(pixels: PixelMap, tmp_path: Path) -> None:
    """Training sees what prediction will, at fewer pixels a side: nothing is cut off, and no view is another one."""
    shown: list[np.ndarray] = []

    def forward(given):
        shown.append(given)
        return given.mean((1, 2)).astype(np.float16)

    small = BoundaryStore(tmp_path / "small", "starter", "d" * 64, VIEW, 160, 2, (3,))
    keep_views(forward, pixels, small, CONTENTS, range(2))
    keep_views(forward, pixels, store_in(tmp_path / "whole"), CONTENTS, range(2))
    assert [each.shape[1] for each in shown] == [160, 160, 224, 224] and small.folder.name != store_in(
        tmp_path / "whole"
    ).folder.name
    for smaller, larger in zip(shown[:2], shown[2:], strict=True):
        for one, other in zip(smaller, larger, strict=True):
            scaled = np.asarray(Image.fromarray(other).resize((160, 160), Image.Resampling.BILINEAR), float)
            assert np.abs(one - scaled)[4:-4, 4:-4].mean() < 4


def test_graph_and_torch_agree_at_the_boundary(studio_home: Path) -> None:
    """What the tail is trained from on processors is what it would be trained from on a graphics card."""
    kept = kept_weights("starter")[0]
    graph = feature_graph(kept)
    shown = np.random.default_rng(1).integers(0, 256, (2, graph.size, graph.size, 3), dtype=np.uint8)
    boundary = graph.stages - 2
    one = GraphToBoundary(graph, boundary, 1)(shown)
    other = TorchToBoundary(load_backbone(kept), boundary, torch.device("cpu"))(shown)
    assert one.dtype == np.float16 and one.shape == (2, *graph.shapes[boundary])
    assert np.abs(one.astype(float) - other.astype(float)).max() < 0.02 * np.abs(other).max()

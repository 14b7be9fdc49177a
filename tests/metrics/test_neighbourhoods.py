"""Nearest neighbours are the nearest, and what a drawing keeps of them is counted rightly."""

from __future__ import annotations

import numpy as np
import pytest

from transfer_core.metrics.neighbourhoods import nearest, neighbours_kept


def test_the_nearest_are_those_of_all_distances() -> None:
    """Whatever the block, nobody is his own neighbour, and among others everybody may be."""
    points = np.random.default_rng(0).standard_normal((1100, 6)).astype(np.float32)
    distance = ((points[:, None] - points[None]) ** 2).sum(2)
    others = np.argsort(distance[:700, 700:], axis=1)[:, :3]
    assert (np.sort(nearest(points[:700], points[700:], 3)) == np.sort(others)).all()
    np.fill_diagonal(distance, np.inf)
    assert (np.sort(nearest(points, near=5)) == np.sort(np.argsort(distance, axis=1)[:, :5])).all()
    assert nearest(points[:4], near=10).shape == (4, 3)


def test_what_is_kept_lies_between_nothing_and_all() -> None:
    """All of it by the same points turned and stretched, about chance by others."""
    generator = np.random.default_rng(0)
    points = generator.standard_normal((400, 2)).astype(np.float32)
    turned = points @ np.array([[0, 3], [-3, 0]], np.float32)
    assert neighbours_kept(points, turned) == 1
    assert neighbours_kept(points, generator.standard_normal((400, 2)).astype(np.float32)) < 0.1
    with pytest.raises(ValueError):
        neighbours_kept(points[:1], points[:1])

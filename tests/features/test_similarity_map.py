"""The map keeps groups together, is the same every time, and takes sets of every size."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray

from transfer_core.features import similarity_map as module
from transfer_core.features.similarity_map import principal_directions, similarity_map, stratified_rows
from transfer_core.features.tsne import all_pairs, lay_out, on_grid
from transfer_core.metrics.neighbourhoods import nearest, neighbours_kept
from transfer_core.metrics.novelty import unit

Features = NDArray[np.float32]


def groups(count: int, each: int, width: int = 64, seed: int = 0) -> tuple[Features, NDArray[np.int64]]:
    """`count` clouds of points that overlap a little, and which one each is of."""
    generator = np.random.default_rng(seed)
    middles = generator.standard_normal((count, width))
    labels = np.repeat(np.arange(count), each)
    return (middles[labels] + 0.6 * generator.standard_normal((len(labels), width))).astype(np.float32), labels


def apart(places: Features, labels: NDArray[np.int64]) -> float:
    """How often the ten nearest on the map are mostly of the same group."""
    votes = labels[nearest(places, near=10)]
    return float(np.mean([Counter(row).most_common(1)[0][0] == label for row, label in zip(votes.tolist(), labels, strict=True)]))


def test_groups_stay_together_and_apart_from_others() -> None:
    """What the map is for; and much more of the neighbourhoods is kept than by the two main directions alone."""
    features, labels = groups(8, 40)
    places = similarity_map(features)
    assert places.shape == (320, 2) and places.dtype == np.float32 and np.isfinite(places).all()
    assert apart(places, labels) > 0.97
    points = unit(features)
    middle, directions = principal_directions(points, 2)
    assert neighbours_kept(points, places) > 1.5 * neighbours_kept(points, (points - middle) @ directions)


def test_the_same_pictures_give_the_same_map() -> None:
    """Nobody has to find their way anew because a cache was emptied."""
    features, labels = groups(4, 30)
    assert np.array_equal(similarity_map(features), similarity_map(features))
    part = stratified_rows(labels.tolist(), 50)
    assert np.array_equal(similarity_map(features, part), similarity_map(features, part))


def test_many_are_put_among_those_they_are_like(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a part is laid out, in parts that are read; the rest still lies with its group."""
    monkeypatch.setattr(module, "BLOCK", 100)
    features, labels = groups(6, 150)
    places = similarity_map(features, stratified_rows(labels.tolist(), 240))
    assert apart(places, labels) > 0.95


@pytest.mark.parametrize("count", [1, 2, 3, 4, 12])
def test_few_pictures(count: int) -> None:
    """A handful has a map too, whatever the number of directions and neighbours there could be."""
    features, _labels = groups(1, count, width=8)
    places = similarity_map(features)
    assert places.shape == (count, 2) and np.isfinite(places).all()
    assert len(np.unique(places, axis=0)) == count


def test_pictures_that_are_all_alike() -> None:
    """Features that tell nothing apart are no reason to fail."""
    for same in (np.ones((50, 16), np.float32), np.zeros((50, 16), np.float32)):
        assert np.isfinite(similarity_map(same)).all()


def test_a_part_has_every_label_in_its_share() -> None:
    """A class of few pictures is on the map as well."""
    labels = ["many"] * 900 + ["some"] * 90 + ["one"]
    rows = stratified_rows(labels, 100)
    taken = Counter(labels[row] for row in rows)
    assert len(rows) == 100 == len(set(rows.tolist())) and taken["one"] == 1 and 8 <= taken["some"] <= 11
    assert (np.diff(rows) > 0).all()
    assert stratified_rows(labels, 5000).tolist() == list(range(991))


def test_principal_directions_are_those_of_a_decomposition() -> None:
    features, _labels = groups(5, 60, width=40)
    middle, directions = principal_directions(features, 3)
    _left, _sizes, right = np.linalg.svd(features - features.mean(0), full_matrices=False)
    assert np.allclose(np.abs((directions * right[:3].T).sum(0)), 1, atol=1e-3)
    assert np.allclose(middle, features.mean(0), atol=1e-5)


@pytest.mark.parametrize("spread", [1e-4, 1.0, 8.0, 20.0])
def test_the_grid_agrees_with_all_pairs(spread: float) -> None:
    """Two ways to the same forces, however far the points are apart."""
    places = (np.random.default_rng(0).uniform(-1, 1, (600, 2)) * spread).astype(np.float32)
    exact, summed = all_pairs(places), on_grid(places)
    assert np.abs(exact - summed).max() < 0.05 * np.abs(exact).max()


def test_the_grid_lays_out_as_well_as_all_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    features, labels = groups(5, 40)
    monkeypatch.setattr("transfer_core.features.tsne.EXACT", 10)
    assert apart(similarity_map(features), labels) > 0.97


def test_it_tells_how_far_it_is_and_can_be_stopped() -> None:
    features, _labels = groups(2, 20)
    told: list[tuple[int, int]] = []
    lay_out(features, steps=20, progress=lambda done, total: told.append((done, total)))
    assert told == [(step, 20) for step in range(1, 21)]

    def stop() -> None:
        if len(told) > 25:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        similarity_map(features, progress=lambda done, total: told.append((done, total)), checkpoint=stop)
    assert len(told) < 30

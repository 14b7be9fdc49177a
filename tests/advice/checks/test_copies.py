"""Copies: the second ones of a class, contradictions with their other half beside them, leaks into held-out sets, bursts."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from transfer_core.advice.checks.check import Finding
from transfer_core.data.groups import Pair, keep_pairs
from transfer_core.data.project import Project
from transfer_core.data.scan import scan
from transfer_core.data.settle import settle

Look = Callable[..., dict[str, Finding]]
Names = Callable[[Path, Finding], list[str]]


@pytest.fixture
def folder(pictures: Callable[..., Path]) -> Path:
    return pictures(count=14)


def paired(folder: Path, kind: str, *names: str) -> Project:
    """The project of a folder in which two pictures were found to belong together."""
    project = Project.for_source(folder)
    scan(project)
    contents = {sample.relative: sample.content for sample in project.table.samples(state=None)}
    first, second = sorted(contents[name] for name in names)
    with project.table.change() as connection:
        keep_pairs(connection, [Pair(first, second, kind, 0.97)])
    settle(project.table, project.shares)
    return project


def test_the_later_of_equal_files_are_duplicates(folder: Path, look: Look, names: Names) -> None:
    for name in ("z1.jpg", "z2.jpg"):
        shutil.copy(folder / "circle" / "003.jpg", folder / "circle" / name)
    found = look(folder)
    assert list(found) == ["duplicates"]
    assert names(folder, found["duplicates"]) == ["circle/z1.jpg", "circle/z2.jpg"]
    assert len({item.beside for item in found["duplicates"].items}) == 1
    assert len({item.key for item in found["duplicates"].items}) == 2


def test_one_picture_under_two_classes_is_a_contradiction(folder: Path, look: Look, names: Names) -> None:
    shutil.copy(folder / "circle" / "003.jpg", folder / "square" / "same.jpg")
    found = look(folder)
    assert list(found) == ["two-labels"]
    assert names(folder, found["two-labels"]) == ["circle/003.jpg", "square/same.jpg"]
    first, second = found["two-labels"].items
    assert (first.beside, first.to, second.beside, second.to) == (second.id, "square", first.id, "circle")
    assert first.key == second.key


def test_near_copies_of_a_class(folder: Path, look: Look, names: Names) -> None:
    found = look(paired(folder, "copy", "circle/003.jpg", "circle/007.jpg"))
    assert list(found) == ["near-duplicates"]
    assert names(folder, found["near-duplicates"]) == ["circle/007.jpg"]


def test_near_copies_across_classes(folder: Path, look: Look, names: Names) -> None:
    found = look(paired(folder, "copy", "circle/003.jpg", "square/007.jpg"))
    assert list(found) == ["near-two-labels"]
    assert names(folder, found["near-two-labels"]) == ["circle/003.jpg", "square/007.jpg"]


def test_a_burst_is_a_note(folder: Path, look: Look) -> None:
    found = look(paired(folder, "burst", "circle/003.jpg", "circle/004.jpg"))
    assert [(check, finding.count) for check, finding in found.items()] == [("bursts", 1)]


def test_a_copy_of_a_given_test_picture_is_a_leak(
    pictures: Callable[..., Path], tmp_path: Path, look: Look, names: Names
) -> None:
    folder = tmp_path / "set"
    pictures(count=14, under=folder / "train")
    pictures(count=10, under=folder / "test", seed=5)
    shutil.copy(folder / "test" / "circle" / "002.jpg", folder / "train" / "circle" / "leak.jpg")
    found = look(folder)
    assert list(found) == ["leaks"]
    assert names(folder, found["leaks"]) == ["train/circle/leak.jpg"]


def test_a_near_copy_of_a_given_test_picture_is_a_leak(
    pictures: Callable[..., Path], tmp_path: Path, look: Look, names: Names
) -> None:
    folder = tmp_path / "set"
    pictures(count=14, under=folder / "train")
    pictures(count=10, under=folder / "test", seed=5)
    found = look(paired(folder, "copy", "train/circle/003.jpg", "test/circle/002.jpg"))
    assert list(found) == ["leaks"]
    assert names(folder, found["leaks"]) == ["train/circle/003.jpg"]

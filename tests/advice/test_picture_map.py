"""The map of a project: every picture that can be used has its place, no edit moves it, and a damaged file is no map."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from transfer_core.advice import picture_map
from transfer_core.advice.map_file import PictureMap, map_file, read_map, write_map
from transfer_core.advice.picture_map import make_map
from transfer_core.backbones.catalogue import STARTER
from transfer_core.backbones.weights import obtain
from transfer_core.data.edits import Edits
from transfer_core.data.project import Project
from transfer_core.data.scan import scan
from transfer_core.errors import DataError


@pytest.fixture
def project(pictures: Callable[..., Path]) -> Project:
    made = Project.for_source(pictures(count=8))
    scan(made)
    return made


def going_on() -> None:
    pass


def test_every_picture_has_its_place(project: Project) -> None:
    """Excluded ones too, so that putting one back costs nothing; a broken one has none and stops nothing."""
    samples = project.table.samples()
    Edits(project).exclude([samples[0].id])
    samples[1].path.write_bytes(b"\xff\xd8\xff now broken")
    told: list[tuple[str, int, int]] = []
    made = make_map(project, obtain(STARTER), 1, lambda *words: told.append(words), going_on)
    assert set(made.contents) == {sample.content for sample in samples} - {samples[1].content}
    assert made.places.shape == (23, 2) and np.isfinite(made.places).all() and 0 < made.kept <= 1
    phases = [phase for phase, _done, _total in told]
    assert list(dict.fromkeys(phases)) == ["decode", "features", "map"]
    kept = read_map(project)
    assert kept is not None and kept.contents == made.contents and np.array_equal(kept.places, made.places)
    assert (kept.backbone, kept.laid_out) == (STARTER, 23) and abs(kept.kept - made.kept) < 1e-3


def test_edits_change_nothing_and_again_is_the_same(project: Project) -> None:
    first = make_map(project, obtain(STARTER), 1, lambda *words: None, going_on)
    Edits(project).rename("circle", "square")
    again = make_map(project, obtain(STARTER), 1, lambda *words: None, going_on)
    assert dict(zip(first.contents, first.places.tolist(), strict=True)) == dict(
        zip(again.contents, again.places.tolist(), strict=True)
    )


def test_of_many_pictures_a_part_is_computed(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """And of the others those whose features are there are put among them."""
    monkeypatch.setattr(picture_map, "MOST", 9)
    made = make_map(project, obtain(STARTER), 1, lambda *words: None, going_on)
    assert len(made.contents) == made.laid_out == 9
    labels = {sample.content: sample.label for sample in project.table.samples()}
    assert sorted(labels[content] for content in made.contents) == ["circle"] * 3 + ["square"] * 3 + ["triangle"] * 3
    monkeypatch.setattr(picture_map, "MOST", 5000)
    make_map(project, obtain(STARTER), 1, lambda *words: None, going_on)
    monkeypatch.setattr(picture_map, "MOST", 9)
    made = make_map(project, obtain(STARTER), 1, lambda *words: None, going_on)
    assert (len(made.contents), made.laid_out) == (24, 9)


def test_too_few_pictures(tmp_path: Path, pictures: Callable[..., Path]) -> None:
    few = Project.for_source(pictures(["a", "b"], count=1, under=tmp_path / "few"))
    scan(few)
    with pytest.raises(DataError):
        make_map(few, obtain(STARTER), 1, lambda *words: None, going_on)
    assert read_map(few) is None


@pytest.mark.parametrize("content", [b"", b"nothing", b"\x08\0\0\0\0\0\0\0{}      "])
def test_a_damaged_file_is_no_map(project: Project, content: bytes) -> None:
    map_file(project).parent.mkdir(parents=True, exist_ok=True)
    map_file(project).write_bytes(content)
    assert read_map(project) is None


def test_a_map_of_a_newer_program_is_none(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    made = PictureMap(["00" * 16], np.zeros((1, 2), np.float32), STARTER, 1.0, 1)
    map_file(project).parent.mkdir(parents=True, exist_ok=True)
    write_map(project, made)
    assert read_map(project) is not None
    monkeypatch.setattr("transfer_core.advice.map_file.SCHEMA", 0)
    assert read_map(project) is None

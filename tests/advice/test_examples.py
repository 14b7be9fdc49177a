from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from transfer_core.advice.examples import make_examples, some_of_all
from transfer_core.data.edits import Edits
from transfer_core.data.project import Project
from transfer_core.data.scan import scan
from transfer_core.errors import DataError, ImageError
from transfer_core.images.augmentation import NONE
from transfer_core.images.pixels import PixelMap
from transfer_core.images.view import View

VIEW = View(32, 40)


@pytest.fixture
def project(pictures: Callable[..., Path], studio_home: Path) -> Project:
    made = Project.for_source(pictures())
    scan(made)
    return made


def test_as_many_classes_as_can_be(project: Project) -> None:
    """A class each before a second of any; what is excluded is not shown, and the rest is the same as before."""
    for count, labels in ((2, ["circle", "square"]), (4, ["circle", "square", "triangle", "circle"])):
        assert [sample.label for sample in some_of_all(project, count)] == labels
    first = some_of_all(project, 4)
    Edits(project).exclude([first[1].id])
    after = some_of_all(project, 4)
    assert [after[place].id for place in (0, 2, 3)] == [first[place].id for place in (0, 2, 3)] and after[1].id != first[1].id
    assert len(some_of_all(project, 100)) == 35


def test_only_what_is_shown_is_decoded(project: Project, tmp_path: Path) -> None:
    rows = make_examples(project, VIEW, NONE, 5, 0, tmp_path / "it")
    assert [label for label, _files in rows] == ["circle", "square", "triangle", "circle", "square"]
    assert len(PixelMap(project.cache / "pixels", VIEW)) == 5


def test_a_picture_that_is_broken_now_is_passed_over(project: Project, tmp_path: Path) -> None:
    """One at least has to be there; where none is, the first one's sentence says why."""
    chosen = some_of_all(project, 3)
    chosen[0].path.write_bytes(b"nothing")
    assert [label for label, _files in make_examples(project, VIEW, NONE, 3, 0, tmp_path / "it")] == ["square", "triangle"]
    with pytest.raises(ImageError, match=chosen[0].path.name):
        make_examples(project, VIEW, NONE, 1, 0, tmp_path / "none")


def test_nothing_to_learn_from(pictures: Callable[..., Path], studio_home: Path, tmp_path: Path) -> None:
    made = Project.for_source(pictures(count=0))
    scan(made)
    with pytest.raises(DataError):
        make_examples(made, VIEW, NONE, 3, 0, tmp_path / "it")

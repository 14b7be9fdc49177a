"""What is said of how pictures are divided is what was done with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from transfer_core.data import division as module
from transfer_core.data.division import division
from transfer_core.data.project import Project
from transfer_core.data.scan import scan
from transfer_core.data.split import Shares


def project_of(folder: Path) -> Project:
    project = Project.create("p", [folder])
    scan(project)
    return project


def test_few_pictures_check_each_other(pictures) -> None:
    """Cross-validation in words, with the numbers of the table; without a test set it says what the scores are then."""
    project = project_of(pictures(count=20))
    tested, checked = division(project)
    assert tested.startswith("9 pictures are kept for testing") and "by lot" in tested
    assert checked.startswith("The other 51 check each other") and "holds 9 of them" in checked
    project.divide(Shares(0.15, 0.0))
    assert division(project)[0].startswith("No picture is kept")


def test_many_have_a_set_of_their_own(pictures, monkeypatch: pytest.MonkeyPatch) -> None:
    """From where folds stop."""
    project = project_of(pictures(count=20))
    monkeypatch.setattr(module, "MOST_CROSS_VALIDATED", 50)
    assert division(project)[1] == "9 pictures check what is learnt from the others."


def test_given_sets_are_named_as_the_users(pictures, tmp_path: Path) -> None:
    """Nobody wonders which pictures these are; copies are told as what is never parted."""
    for split, seed in (("train", 0), ("val", 1), ("test", 2)):
        pictures(count=4, under=tmp_path / "set" / split, seed=seed)
    first = tmp_path / "set" / "train" / "circle" / "000.jpg"
    first.with_name("copy.jpg").write_bytes(first.read_bytes())
    tested, checked, together = division(project_of(tmp_path / "set"))
    assert tested.endswith("They are those of your test folder.")
    assert checked.startswith("12 pictures, those of your validation folder")
    assert together.startswith("1 group of pictures belongs together")

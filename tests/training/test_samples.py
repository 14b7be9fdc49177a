from __future__ import annotations

from pathlib import Path

import pytest

from transfer_core.data.project import Project
from transfer_core.data.scan import scan
from transfer_core.training.samples import RunSample, RunSamples


@pytest.fixture
def samples() -> RunSamples:
    rows = [("b", "train"), ("a", "val"), ("b", "test"), ("z", "test"), ("a", "train")]
    return RunSamples(
        [RunSample(f"/p/{n}", f"{label}/{n}", label, split, False, f"c{n}") for n, (label, split) in enumerate(rows)]
    )


def test_they_are_the_projects(pictures) -> None:
    """A run's samples are the table's, with their splits, and what the folders said marked as given."""
    folder = pictures(count=12)
    (folder / "circle" / "broken.jpg").write_bytes(b"x")
    project = Project.for_source(folder)
    scan(project)
    samples = RunSamples.of_project(project)
    table = project.table.samples()
    assert [(s.path, s.relative, s.label, s.split, s.content) for s in samples.samples] == [
        (str(s.path), s.relative, s.label, s.split, s.content) for s in table
    ]
    assert not any(sample.given for sample in samples.samples)


def test_given_splits_are_marked(pictures, tmp_path: Path) -> None:
    """Only a split that the user made is the user's."""
    pictures(count=5, under=tmp_path / "set" / "train")
    pictures(count=2, under=tmp_path / "set" / "test", seed=9)
    project = Project.for_source(tmp_path / "set")
    scan(project)
    given = {(sample.split, sample.given) for sample in RunSamples.of_project(project).samples}
    assert given == {("train", True), ("val", False), ("test", True)}


def test_fixed_on_disk(samples: RunSamples, tmp_path: Path) -> None:
    """A resumed run has the samples it began with, whatever the project holds by then; names of all kinds survive."""
    assert RunSamples.read(tmp_path) is None
    odd = RunSample('/p/猫 "x"\n.jpg', "<b>/=1", "<b>", "train", True, "ff")
    kept = RunSamples([*samples.samples, odd])
    kept.write(tmp_path)
    assert RunSamples.read(tmp_path) == kept


def test_classes_are_what_can_be_learnt(samples: RunSamples) -> None:
    """A class that only the test set has is not one of the model's; its pictures have the number -1."""
    assert samples.classes == ["a", "b"]
    assert samples.labels(samples.classes).tolist() == [1, 0, 1, -1, 0]
    assert samples.of("test").labels(["a", "b"]).tolist() == [1, -1]


def test_parts(samples: RunSamples) -> None:
    """Splits and what is left without some pictures, in order."""
    assert samples.of("train", "val").contents == ["c0", "c1", "c4"]
    assert samples.without({"c0", "c3"}).contents == ["c1", "c2", "c4"]
    assert len(samples.of("train")) == 2
    assert [(source.content, source.path) for source in samples.of("val").sources] == [("c1", Path("/p/1"))]

"""The doctor as a whole: a clean set is clean, broken files are findings and stop nothing, flipped labels of real pictures are found."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import shape_picture
from transfer_core.advice import doctor
from transfer_core.advice.candidates import candidate
from transfer_core.advice.doctor import examine
from transfer_core.advice.findings import Findings, kept_findings, standing
from transfer_core.backbones.catalogue import backbone_info
from transfer_core.backbones.weights import KeptWeights
from transfer_core.data.edits import Edits
from transfer_core.data.project import Project
from transfer_core.errors import BackboneError, DataError


def check_data(data: Path) -> tuple[Project, Findings]:
    project = Project.for_source(data)
    return project, examine(project)


def told(data: Path) -> dict[str, int]:
    project, findings = check_data(data)
    return {finding.check: finding.count for finding in standing(project, findings)}


def test_a_clean_set_is_clean(pictures: Callable[..., Path]) -> None:
    assert told(pictures(count=20)) == {}


def test_a_picture_in_the_wrong_class_is_suggested_the_right_one(pictures: Callable[..., Path]) -> None:
    folder = pictures(count=30)
    shutil.move(folder / "circle" / "004.jpg", folder / "square" / "moved.jpg")
    project, findings = check_data(folder)
    found = {finding.check: finding for finding in standing(project, findings)}
    (item,) = found["wrong-labels"].items
    assert (item.label, item.to) == ("square", "circle")


def test_a_picture_of_something_else_is_an_outlier(pictures: Callable[..., Path]) -> None:
    folder = pictures(count=30)
    stripes = np.zeros((48, 64, 3), np.uint8)
    stripes[::6] = 255
    Image.fromarray(stripes).save(folder / "circle" / "stripes.jpg")
    project, findings = check_data(folder)
    found = {finding.check: finding for finding in standing(project, findings)}
    (sample,) = project.table.samples(ids=found["outliers"].ids)
    assert sample.path.name == "stripes.jpg"


def test_bad_files_are_findings_and_stop_nothing(pictures: Callable[..., Path]) -> None:
    folder = pictures(count=20)
    generator = np.random.default_rng(0)
    whole = (folder / "circle" / "000.jpg").read_bytes()
    for number in range(60):
        data = bytearray(whole[: int(generator.integers(1, len(whole)))])
        for _change in range(5):
            data[int(generator.integers(len(data)))] = int(generator.integers(256))
        (folder / "circle" / f"bad{number}.{('jpg', 'png', 'gif', 'txt')[number % 4]}").write_bytes(data)
    (folder / "circle" / "empty.jpg").write_bytes(b"")
    project, findings = check_data(folder)
    checks = {finding.check for finding in findings.found}
    assert {"empty", "truncated"} <= checks
    assert findings.backbone == "starter" and kept_findings(project) == findings


def test_a_picture_that_only_decoding_shows_to_be_broken_is_left_out(
    pictures: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = pictures(count=20)
    image = shape_picture(0, (640, 480), np.random.default_rng(3))
    image.save(folder / "circle" / "hole.png")
    data = bytearray((folder / "circle" / "hole.png").read_bytes())
    data[2000:60_000] = bytes(58_000)  # its header and its end are whole
    (folder / "circle" / "hole.png").write_bytes(data)
    assert told(folder) == {"broken": 1}


def test_excluded_pictures_are_not_looked_at(pictures: Callable[..., Path]) -> None:
    folder = pictures(count=30)
    shutil.move(folder / "circle" / "004.jpg", folder / "square" / "moved.jpg")
    project, findings = check_data(folder)
    Edits(project).exclude(next(finding.ids for finding in findings.found if finding.check == "wrong-labels"))
    assert "wrong-labels" not in {finding.check for finding in examine(project).found}


def test_too_few_pictures_are_compared_with_nothing(pictures: Callable[..., Path]) -> None:
    project, findings = check_data(pictures(count=3))
    assert findings.backbone is None
    assert [finding.check for finding in standing(project, findings)] == ["few-pictures"]


def test_a_network_that_can_not_be_used_gives_way_to_the_next(
    pictures: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    compute, asked = doctor.compute, []

    def failing(*arguments: object) -> object:
        asked.append(arguments[1])
        if len(asked) == 1:
            raise BackboneError("too large", code="graph-too-large")
        return compute(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(doctor, "compute", failing)
    here = doctor.candidates()
    monkeypatch.setattr(doctor, "_networks", lambda weights, pictures, threads: [*here, *here])
    _project, findings = check_data(pictures(count=12))
    assert findings.backbone == "starter" and len(asked) == 2


def test_of_two_weights_of_one_network_those_of_the_last_training_look(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Their features are on disk already, and they know the pictures best."""
    kept = [KeptWeights("resnet18", digest * 64, tmp_path / digest, "") for digest in "ab"]
    monkeypatch.setattr(doctor, "candidates", lambda: [candidate(backbone_info("resnet18"), each) for each in kept])
    assert [doctor._networks(each, 10, 1)[0].kept for each in kept] == kept


def test_it_tells_how_far_it_is_and_can_be_stopped(pictures: Callable[..., Path]) -> None:
    project = Project.for_source(pictures(count=12))
    phases: list[str] = []
    examine(project, progress=lambda phase, done, total: phases.append(phase))
    assert list(dict.fromkeys(phases)) == ["scan", "look", "decode", "features", "head"]

    def stop() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        examine(project, checkpoint=stop)


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        check_data(tmp_path / "nowhere")


def test_flipped_labels_of_real_pictures_are_found(shared: Path, tmp_path: Path) -> None:
    """Of 400 leaves twenty are put among those of another disease: the starter finds twelve among forty suggestions.

    How many a better network finds, and of more pictures, is the benchmark's to say.
    """
    source = shared / "data" / "plantvillage_apple" / "train"
    generator = np.random.default_rng(0)
    labels = sorted(path.name for path in source.iterdir())
    moved = set()
    for number, label in enumerate(labels):
        for place, path in enumerate(sorted((source / label).iterdir())[:100]):
            wrong = place < 5
            target = labels[(number + int(generator.integers(1, len(labels)))) % len(labels)] if wrong else label
            (tmp_path / "leaves" / target).mkdir(parents=True, exist_ok=True)
            shutil.copy(path, tmp_path / "leaves" / target / path.name)
            if wrong:
                moved.add(path.name)
    project, findings = check_data(tmp_path / "leaves")
    (suspects,) = [finding for finding in findings.found if finding.check == "wrong-labels"]
    names = {sample.id: sample.path.name for sample in project.table.samples()}
    first = {names[id] for id in suspects.ids[: 2 * len(moved)]}
    assert len(first & moved) >= 0.6 * len(moved)

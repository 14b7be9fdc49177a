"""What jobs do, called as their process calls it: a choice, a look at a file, timm's networks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.conftest import shape_picture
from transfer_core.advice.findings import kept_findings
from transfer_core.backbones import weights
from transfer_core.backbones.catalogue import STARTER_FILE
from transfer_core.data.project import Project
from transfer_core.data.scan import scan
from transfer_core.errors import BackboneError, DataError, ImageError, RunError, SettingsError, WeightsError
from transfer_core.images.augmentation import PRESETS
from transfer_core.runs import jobs
from transfer_core.runs.job_kinds import KINDS, PhaseTeller

Told = list[tuple[str, dict[str, Any]]]


@pytest.fixture
def told() -> Told:
    return []


@pytest.fixture
def emit(told: Told) -> Callable[..., None]:
    return lambda event, /, **fields: told.append((event, fields))


def drawn(folder: Path, labels: tuple[str, ...] = ("circle", "square", "triangle")) -> Project:
    """A project of ten pictures a class, looked through."""
    generator = np.random.default_rng(0)
    for number, label in enumerate(labels):
        (folder / label).mkdir(parents=True)
        for place in range(10):
            shape_picture(number, (64, 48), generator).save(folder / label / f"{place}.jpg")
    made = Project.for_source(folder)
    scan(made)
    return made


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return drawn(tmp_path / "shapes")


def going_on() -> bool:
    return False


def test_a_choice_is_plain_data_and_says_of_which_pictures(project: Project, told: Told, emit: Callable[..., None]) -> None:
    report = KINDS["choose"]({"project": str(project.folder)}, emit, going_on)
    assert json.loads(json.dumps(report)) == report
    assert report["recommended"]["backbone"] == "starter" and report["why"]
    assert report["fingerprint"] == project.table.fingerprint()
    assert [fields["name"] for event, fields in told if event == "phase"] == ["decode", "features"]
    progress = [fields for event, fields in told if event == "progress"]
    assert progress[0]["candidate"] is None and progress[-1]["candidate"] == "Starter"
    told.clear()
    again = KINDS["choose"]({"project": str(project.folder)}, emit, going_on)
    # What is known is not worked out again.
    assert again == report and "features" not in [fields.get("name") for _event, fields in told]


def test_a_choice_that_is_stopped_goes_on_to_no_other_candidate(project: Project, told: Told, emit: Callable[..., None]) -> None:
    with pytest.raises(RunError) as stopped:
        KINDS["choose"]({"project": str(project.folder)}, emit, lambda: any(event == "progress" for event, _ in told))
    assert stopped.value.code == "stopped"


def test_a_choice_that_can_not_be(
    project: Project, emit: Callable[..., None], pictures: Callable[..., Path], tmp_path: Path
) -> None:
    with pytest.raises(BackboneError):
        KINDS["choose"]({"project": str(project.folder), "download": ["nothing"]}, emit, going_on)
    lone = drawn(tmp_path / "lone", ("only",))
    with pytest.raises(DataError):
        KINDS["choose"]({"project": str(lone.folder)}, emit, going_on)


def test_the_fingerprint_is_of_pictures_classes_and_splits(project: Project) -> None:
    before = project.table.fingerprint()
    scan(project)
    assert project.table.fingerprint() == before
    samples = project.table.samples()
    project.table.mark_broken([(samples[0].content, ImageError("no good"))])
    assert project.table.fingerprint() != before


def test_a_map_says_how_far_it_can_be_believed(project: Project, told: Told, emit: Callable[..., None]) -> None:
    from transfer_core.advice.map_file import read_map

    report = KINDS["map"]({"project": str(project.folder)}, emit, going_on)
    assert json.loads(json.dumps(report)) == report
    assert report["pictures"] == 30 and report["backbone"] == "starter" and 0 < report["kept"] <= 1
    assert [fields["name"] for event, fields in told if event == "phase"] == ["decode", "features", "map"]
    drawn = read_map(project)
    assert drawn is not None and len(drawn.contents) == 30


@pytest.mark.parametrize("kind", ["map", "copy"])
def test_work_on_pictures_can_be_stopped(
    project: Project, tmp_path: Path, told: Told, emit: Callable[..., None], kind: str
) -> None:
    arguments = {"project": str(project.folder), "folder": str(tmp_path / "copy")}
    with pytest.raises(RunError) as stopped:
        KINDS[kind](arguments, emit, lambda: True)
    assert stopped.value.code == "stopped" and not list(tmp_path.glob("copy/*/*.jpg"))


def test_copies_are_told_as_plain_data(project: Project, tmp_path: Path, told: Told, emit: Callable[..., None]) -> None:
    report = KINDS["copy"]({"project": str(project.folder), "folder": str(tmp_path / "copy"), "by_split": True}, emit, going_on)
    assert json.loads(json.dumps(report)) == json.loads(json.dumps(report | {"missing": []})) and report["pictures"] == 30
    assert {path.name for path in (tmp_path / "copy").iterdir()} == {"train", "val", "test"}
    assert told[0] == ("phase", {"name": "copy"}) and told[-1][1]["done"] == 30


def test_examples_lie_in_the_folder_of_their_job(project: Project, emit: Callable[..., None]) -> None:
    """They go when it goes, and need neither a model nor features."""
    arguments = {"project": str(project.folder), "augmentation": PRESETS["strong"].as_data(), "count": 4, "seed": 1}
    with pytest.raises(RunError):
        KINDS["preview"](arguments, emit, going_on)
    job = jobs.create_job("preview", arguments, project.folder)
    with pytest.raises(RunError) as stopped:
        KINDS["preview"](job.arguments, emit, lambda: True)
    assert stopped.value.code == "stopped"
    report = KINDS["preview"](job.arguments, emit, going_on)
    assert json.loads(json.dumps(report)) == report
    assert [row["label"] for row in report["rows"]] == ["circle", "square", "triangle", "circle"]
    files = [job.folder / name for row in report["rows"] for name in row["files"]]
    assert len({file.read_bytes() for file in files}) == 4 * 6 and all(max(Image.open(file).size) <= 160 for file in files)
    assert not (project.cache / "features").exists()


def test_a_rate_is_searched_for_and_nothing_of_it_stays(project: Project, told: Told, emit: Callable[..., None]) -> None:
    """The report is the curve, and says of which pictures; the project has no run, no draft and no model more than before."""
    settings = {"plan": "custom", "freeze": "all", "batch_size": 8, "image_size": 64, "threads": 1}
    arguments = {"project": str(project.folder), "settings": settings}
    before = {path.name for path in project.folder.iterdir()} | {"cache"}
    report = KINDS["rate"](arguments, emit, going_on)
    assert json.loads(json.dumps(report)) == report
    assert len(report["rates"]) == len(report["losses"]) > 10
    assert report["suggestion"] is None or report["rates"][0] < report["suggestion"] < report["rates"][-1]
    assert report["fingerprint"] == project.table.fingerprint()
    assert {path.name for path in project.folder.iterdir()} <= before
    assert ("phase", {"name": "train"}) in told
    with pytest.raises(RunError) as stopped:
        KINDS["rate"](arguments, emit, lambda: True)
    assert stopped.value.code == "stopped"
    with pytest.raises(SettingsError):
        KINDS["rate"](arguments | {"settings": {"plan": "quick"}}, emit, going_on)


def test_a_look_at_a_file_keeps_nothing(emit: Callable[..., None], tmp_path: Path) -> None:
    report = KINDS["inspect"]({"file": str(STARTER_FILE), "backbone": None}, emit, going_on)
    assert json.loads(json.dumps(report)) == report
    assert report["backbone"] == "starter" and report["usable"] and not report["match"]["missing"]
    assert [kept.backbone for kept in weights.kept_weights()] == ["starter"]
    with pytest.raises(WeightsError):
        KINDS["inspect"]({"file": str(tmp_path / "none.pth")}, emit, going_on)


def test_timm_is_written_down(told: Told, emit: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    timm_catalogue = pytest.importorskip("transfer_core.backbones.timm_catalogue")

    def write(progress: Callable[[int, int], None], should_stop: Callable[[], bool]) -> int:
        progress(1, 2)
        return 0 if should_stop() else 2

    monkeypatch.setattr(timm_catalogue, "write", write)
    assert KINDS["timm"]({}, emit, going_on) == {"backbones": 2}
    assert told == [("progress", {"done": 1, "total": 2, "eta_seconds": None})]
    with pytest.raises(RunError):
        KINDS["timm"]({}, emit, lambda: True)


def test_a_phase_is_told_once(told: Told, emit: Callable[..., None]) -> None:
    phases = PhaseTeller(emit)
    for name in ("decode", "decode", "features", "features", "decode"):
        phases.enter(name)
    assert [fields["name"] for _event, fields in told] == ["decode", "features", "decode"]


def test_a_check_keeps_its_findings_with_the_project(project: Project, told: Told, emit: Callable[..., None]) -> None:
    source = project.sources[0].folder
    (source / "circle" / "copy.jpg").write_bytes((source / "circle" / "3.jpg").read_bytes())
    report = KINDS["check"]({"project": str(project.folder)}, emit, going_on)
    kept = kept_findings(project)
    assert kept is not None and report == {"findings": len(kept.found), "backbone": "starter"}
    assert "duplicates" in {finding.check for finding in kept.found}
    assert [fields["name"] for event, fields in told if event == "phase"] == ["scan", "look", "decode", "features", "head"]


def test_a_check_that_is_stopped_says_so(project: Project, emit: Callable[..., None]) -> None:
    with pytest.raises(RunError) as caught:
        KINDS["check"]({"project": str(project.folder)}, emit, lambda: True)
    assert caught.value.code == "stopped"

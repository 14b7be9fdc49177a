"""Findings stand until they are dealt with: each remedy is the edit it says, undoing it brings them back, and damage is no findings."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from transfer_core.advice.checks.check import Evidence, Finding, Item
from transfer_core.advice.checks.table import CHECKS
from transfer_core.advice.findings import (
    FILE,
    Findings,
    apply,
    as_data,
    keep_findings,
    kept_findings,
    now_found,
    pairs_once,
    pictures_digest,
    standing,
)
from transfer_core.data.edits import Edits
from transfer_core.data.project import Project
from transfer_core.data.scan import scan


@pytest.fixture
def project(pictures: Callable[..., Path]) -> Project:
    """A project with two copies in a class, one picture under two classes, and a file that is no picture."""
    folder = pictures(count=14)
    shutil.copy(folder / "circle" / "003.jpg", folder / "circle" / "z1.jpg")
    shutil.copy(folder / "circle" / "005.jpg", folder / "circle" / "z2.jpg")
    shutil.copy(folder / "square" / "003.jpg", folder / "triangle" / "same.jpg")
    (folder / "notes.txt").write_text("milk")
    made = Project.for_source(folder)
    scan(made)
    return made


@pytest.fixture
def findings(project: Project) -> Findings:
    evidence = Evidence(project.table.samples(state=None))
    found = [finding for check in CHECKS.values() if check.look for finding in check.look(evidence)]
    made = now_found(pictures_digest(project), found, None)
    keep_findings(project, made)
    return made


def told(project: Project) -> dict[str, int]:
    return {finding.check: finding.count for finding in standing(project, kept_findings(project))}


def one(project: Project, check: str) -> Finding:
    return next(finding for finding in standing(project, kept_findings(project)) if finding.check == check)


ALL = {"two-labels": 2, "duplicates": 2, "not-a-picture": 1}


def test_they_are_read_as_they_were_written(project: Project, findings: Findings) -> None:
    assert kept_findings(project) == findings
    assert told(project) == ALL


def test_damaged_or_newer_ones_are_none(project: Project, findings: Findings) -> None:
    file = project.cache / FILE
    for text in ("", "{", '{"schema": 99}', '{"schema": 1, "found": 3}', "[]"):
        file.write_text(text)
        assert kept_findings(project) is None
    file.unlink()
    assert kept_findings(project) is None and told(project) == {}


def test_excluding_all_ends_a_finding_and_undo_brings_it_back(project: Project, findings: Findings) -> None:
    copies = one(project, "duplicates")
    assert apply(project, copies, "exclude") == 1
    assert [sample.id for sample in project.table.samples(state="excluded")] == copies.ids
    assert "duplicates" not in told(project)
    Edits(project).undo()
    assert told(project) == ALL


def test_one_picture_of_a_finding(project: Project, findings: Findings) -> None:
    copies = one(project, "duplicates")
    apply(project, copies, "keep", copies.items[:1])
    assert told(project) == ALL | {"duplicates": 1}
    assert one(project, "duplicates").items == copies.items[1:]


def test_excluding_the_first_copy_ends_what_stood_beside_it(project: Project, findings: Findings) -> None:
    item = one(project, "duplicates").items[0]
    assert item.beside is not None
    Edits(project).exclude([item.beside])
    assert told(project)["duplicates"] == 1


def test_one_class_for_both_ends_a_contradiction(project: Project, findings: Findings) -> None:
    contradiction = one(project, "two-labels")
    apply(project, contradiction, "relabel", contradiction.items[:1])
    assert "two-labels" not in told(project)
    (changed,) = project.table.samples(state=None, ids=contradiction.ids[:1])
    assert changed.label == contradiction.items[0].to


def test_a_note_is_kept_for_all_that_come(project: Project, findings: Findings) -> None:
    apply(project, one(project, "not-a-picture"), "keep")
    assert "not-a-picture" not in told(project)
    (project.sources[0].folder / "more.txt").write_text("bread")
    scan(project)
    evidence = Evidence(project.table.samples(state=None))
    found = [finding for check in CHECKS.values() if check.look for finding in check.look(evidence)]
    assert {finding.check for finding in found} == set(ALL)
    keep_findings(project, now_found("", found, None))
    assert "not-a-picture" not in told(project)


def test_classes_are_told_anew_and_merged(project: Project) -> None:
    assert told(project) == {}
    Edits(project).relabel([sample.id for sample in project.table.samples(label="circle")[:11]], "Square!")
    assert told(project) == {"alike-names": 1, "few-pictures": 1}
    assert apply(project, one(project, "alike-names"), "merge") == 1
    assert {count.label for count in project.table.classes()} == {"circle", "square", "triangle"}


def test_suggestions_are_edits_by_class(project: Project) -> None:
    samples = project.table.samples(label="circle")[:3]
    items = [Item(f"{s.content} {s.label}", s.id, s.label, s.content, to=to) for s, to in zip(samples, "sst", strict=True)]
    items = [Item(**{**vars(item), "to": {"s": "square", "t": "triangle"}[item.to or ""]}) for item in items]
    keep_findings(project, now_found("", [Finding("wrong-labels", tuple(items))], "starter"))
    assert told(project) == {"wrong-labels": 3}
    assert apply(project, one(project, "wrong-labels"), "relabel") == 2
    assert [s.label for s in project.table.samples(ids=[item.id or 0 for item in items])] == ["square", "square", "triangle"]
    assert told(project) == {}


def test_a_changed_or_lost_file_ends_a_finding(project: Project, findings: Findings) -> None:
    before = pictures_digest(project)
    (project.sources[0].folder / "circle" / "z1.jpg").unlink()
    shutil.copy(project.sources[0].folder / "circle" / "007.jpg", project.sources[0].folder / "circle" / "z2.jpg")
    scan(project)
    assert "duplicates" not in told(project)
    assert pictures_digest(project) != before


def test_edits_leave_the_digest(project: Project) -> None:
    before = pictures_digest(project)
    Edits(project).exclude([project.table.samples()[0].id])
    assert pictures_digest(project) == before


def test_of_many_notes_the_first_are_kept_and_all_are_counted(project: Project) -> None:
    items = tuple(Item(str(number), None, "circle") for number in range(250))
    keep_findings(project, now_found("", [Finding("rotated", items), Finding("wrong-labels", items)], None))
    kept = kept_findings(project)
    assert kept is not None
    sizes = {finding.check: (len(finding.items), finding.count) for finding in kept.found}
    assert sizes == {"rotated": (100, 250), "wrong-labels": (250, 250)}


def test_a_pair_stands_once(project: Project, findings: Findings) -> None:
    ((first, second),) = pairs_once(one(project, "two-labels").items)
    assert second is not None and (first.beside, second.beside) == (second.id, first.id)
    assert [other for _item, other in pairs_once(one(project, "duplicates").items)] == [None, None]


def test_as_data_names_the_files(project: Project, findings: Findings) -> None:
    data = as_data(project, one(project, "two-labels"))
    assert (data["check"], data["severity"], data["count"]) == ("two-labels", "serious", 2)
    assert [Path(item["file"]).name for item in data["items"]] == ["003.jpg", "same.jpg"]
    assert [Path(item["beside"]).name for item in data["items"]] == ["same.jpg", "003.jpg"]
    assert "exclude" in data["remedies"] and data["sentence"].endswith(".")

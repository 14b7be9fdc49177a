"""The doctor on the Data page: cards with their remedies, the way back right there, and the check that begins by itself."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui import findings
from transfer_core.advice.doctor import examine
from transfer_core.advice.findings import kept_findings, standing
from transfer_core.data.project import Project
from transfer_core.data.scan import scan

Open = Callable[..., AppTest]


@pytest.fixture
def checked(pictures: Callable[..., Path]) -> Project:
    """A project with a copy, one picture under two classes, and a note; examined."""
    folder = pictures(count=14)
    shutil.copy(folder / "circle" / "003.jpg", folder / "circle" / "z*1*.jpg")
    shutil.copy(folder / "square" / "003.jpg", folder / "triangle" / "same.jpg")
    (folder / "circle" / "notes.txt").write_text("milk")
    made = Project.for_source(folder)
    examine(made)
    return made


def checks(project: Project) -> set[str]:
    return {finding.check for finding in standing(project, kept_findings(project))}


def shown(page: AppTest) -> str:
    return "\n".join(str(element.value) for element in page.markdown)


def press(page: AppTest, key: str) -> AppTest:
    page.button(key=key).click().run()
    assert not page.exception and not page.error
    return page


def test_each_finding_has_its_sentence_and_its_remedies(checked: Project, open_page: Open) -> None:
    page = open_page("Data", project=checked.folder.name)
    assert not page.exception and not page.error
    assert "a second time in its class" in shown(page) and "stand under different classes" in shown(page)
    labels = [button.label for button in page.button]
    assert "Exclude" in labels and labels.count("Fine as it is") == 2
    assert "1 more thing that is good to know" in [expander.label for expander in page.expander]


def test_excluding_and_taking_it_back(checked: Project, open_page: Open) -> None:
    page = press(open_page("Data", project=checked.folder.name), "all-duplicates-exclude")
    assert checks(checked) == {"two-labels", "not-a-picture"} and checked.table.count(state="excluded") == 1
    assert "1 picture excluded" in shown(page)
    page = press(page, "undo-duplicates")
    assert "duplicates" in checks(checked) and checked.table.count(state="excluded") == 0
    assert "1 picture excluded" not in shown(page)


def test_what_is_fine_as_it_is_goes_away(checked: Project, open_page: Open) -> None:
    page = open_page("Data", project=checked.folder.name)
    page = press(press(page, "all-duplicates-keep"), "all-two-labels-keep")
    assert checks(checked) == {"not-a-picture"}
    assert [box.value for box in page.success] == ["Nothing was found that you should look at."]


def test_a_single_pair_has_all_its_remedies_at_once(checked: Project, open_page: Open) -> None:
    page = open_page("Data", project=checked.folder.name)
    labels = [button.label for button in page.button]
    assert {"Both triangle", "Both square", "Exclude both"} <= set(labels)
    assert not [toggle for toggle in page.toggle if toggle.label == "One by one"]
    next(button for button in page.button if button.label == "Both square").click().run()
    assert not page.exception and "two-labels" not in checks(checked)
    assert checked.table.count(label="square") == 15 and checked.table.count(label="triangle") == 14


def test_contradictions_are_settled_one_by_one(checked: Project, open_page: Open) -> None:
    folder = checked.sources[0].folder
    shutil.copy(folder / "square" / "004.jpg", folder / "circle" / "same.jpg")
    scan(checked)
    examine(checked)
    page = open_page("Data", project=checked.folder.name)
    assert "Exclude all 4" in [button.label for button in page.button]
    page.toggle(key="each-two-labels").set_value(True).run()
    both = {button.label: button for button in page.button if button.label.startswith("Both")}
    assert set(both) == {"Both triangle", "Both square", "Both circle"}
    both["Both circle"].click().run()
    assert not page.exception and "two-labels" in checks(checked)
    assert checked.table.count(label="square") == 13 and checked.table.count(label="circle") == 17


def test_undo_leaves_what_somebody_else_did_since(checked: Project, open_page: Open) -> None:
    from transfer_core.data.edits import Edits

    page = press(open_page("Data", project=checked.folder.name), "all-duplicates-exclude")
    Edits(checked).rename("circle", "disc")
    page.run()
    assert not [button for button in page.button if button.key == "undo-duplicates"]


def test_a_check_begins_by_itself_only_where_something_is_new(
    checked: Project, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[tuple[Any, ...]] = []
    monkeypatch.setattr(findings, "BY_ITSELF", 5_000)
    monkeypatch.setattr(findings.jobs, "begin", lambda *arguments: begun.append(arguments))
    open_page("Data", project=checked.folder.name)
    assert not begun
    (checked.sources[0].folder / "circle" / "new.txt").write_text("more")
    scan(checked)
    open_page("Data", project=checked.folder.name)
    assert begun == [("check", {"project": str(checked.folder)}, checked.folder)]
    monkeypatch.setattr(findings, "BY_ITSELF", 10)
    page = open_page("Data", project=checked.folder.name)
    assert len(begun) == 1
    assert [button.label for button in page.button if button.key == "check-pictures"] == ["Check again"]


def test_what_a_finding_is_about_is_shown_among_the_pictures(checked: Project, open_page: Open) -> None:
    """Its pictures alone, to be selected and changed there, under the finding's sentence."""
    found = {finding.check: finding for finding in standing(checked, kept_findings(checked))}
    page = press(open_page("Data", project=checked.folder.name), "show-two-labels")
    (grid,) = [json.loads(part.proto.json) for part in page.get("bidi_component") if "picture_grid" in part.proto.component_name]
    assert {item["id"] for item in grid["items"]} == set(found["two-labels"].ids) and page.button(key="browse-all")

"""Looking at pictures and changing them: the filters, the views, what a browser may say, and that edits are seen everywhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from pages.ui import editing, picture_grid, similarity
from pages.ui.browse import Wanted
from pages.ui.picture_grid import Action, read_action
from transfer_core.advice.map_file import PictureMap, map_file, write_map
from transfer_core.data.edits import Edits
from transfer_core.data.project import Project
from transfer_core.errors import DataError
from transfer_core.runs import jobs

Open = Callable[..., AppTest]


def grids(page: AppTest) -> list[dict[str, Any]]:
    """What the grids of a page were given."""
    found = []
    for element in page.get("bidi_component"):
        proto = element.proto
        if proto.component_name.endswith("picture_grid"):
            found.append(json.loads(proto.json))
    return found


def names(page: AppTest) -> list[str]:
    return [item["name"] for grid in grids(page) for item in grid["items"]]


def said(page: AppTest) -> str:
    kinds = ("markdown", "caption", "text", "info", "html", "warning")
    return "\n".join(str(element.value if kind != "html" else element.proto.body) for kind in kinds for element in page.get(kind))


def drawn_map(project: Project) -> None:
    """A map on which pictures lie in a row."""
    samples = project.table.samples()
    map_file(project).parent.mkdir(parents=True, exist_ok=True)
    places = np.array([[number, number % 5] for number in range(len(samples))], np.float32)
    write_map(project, PictureMap([sample.content for sample in samples], places, "starter", 0.5, len(samples)))


def test_pictures_are_found_by_class_purpose_state_and_name(project: Project, open_page: Open) -> None:
    page = open_page("Data", project=project.folder.name, view="pictures")
    assert len(names(page)) == 36 and len(grids(page)) == 1
    page.selectbox(key="browse-label").select("square").run()
    assert len(names(page)) == 12 and all(name.startswith("square/") for name in names(page))
    page.selectbox(key="browse-split").select("test").run()
    wanted = {s.relative for s in project.table.samples(label="square", split="test")}
    assert set(names(page)) == wanted and wanted
    page.selectbox(key="browse-split").set_value(None).run()
    page.text_input(key="browse-search").set_value(" 00 ").run()
    assert len(names(page)) == 10
    page.selectbox(key="browse-state").select("excluded").run()
    assert not grids(page) and "No picture is like that" in said(page)
    assert not page.exception and not page.error


def test_what_cannot_be_used_is_shown_with_its_reason(project: Project, open_page: Open) -> None:
    from transfer_core.data.scan import scan

    (project.sources[0].folder / "circle" / "broken.jpg").write_bytes(b"nothing")
    scan(project)
    page = open_page("Data", project=project.folder.name, view="pictures")
    page.selectbox(key="browse-state").select("out").run()
    (item,) = grids(page)[0]["items"]
    assert item["image"] is None and item["small"].startswith("broken.jpg: ") and item["mark"]


def test_a_page_of_many(project: Project, open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page at a time; where the pages become fewer, the last one is shown."""
    monkeypatch.setattr("pages.ui.browse.PAGE", 10)
    page = open_page("Data", project=project.folder.name, view="pictures")
    first = names(page)
    assert len(first) == 10 and grids(page)[0]["total"] == 36
    page.session_state["browse-page"] = 4
    page.run()
    assert len(names(page)) == 6 and not set(names(page)) & set(first)
    page.selectbox(key="browse-label").select("circle").run()
    assert len(names(page)) == 2


def test_a_set_from_elsewhere_is_shown_under_its_title(project: Project, open_page: Open) -> None:
    """As a finding does: these pictures alone, until all are asked for."""
    ids = [sample.id for sample in project.table.samples()[5:9]]
    page = open_page("Data", project=project.folder.name, view="pictures")
    page.session_state["pictures that are to be shown"] = (tuple(ids), "Odd *ones*")
    page.run()
    assert [item["id"] for item in grids(page)[0]["items"]] == ids and "Odd \\*ones\\*" in said(page)
    page.button(key="browse-all").click().run()
    assert len(names(page)) == 36


def test_a_view_in_the_address_is_kept_and_a_wrong_one_passed_over(project: Project, open_page: Open) -> None:
    assert grids(open_page("Data", project=project.folder.name, view="pictures"))
    page = open_page("Data", project=project.folder.name, view="<b>")
    assert not page.exception and page.query_params["view"] in ("classes", ["classes"])


def test_classes_stand_side_by_side(project: Project, open_page: Open) -> None:
    page = open_page("Data", project=project.folder.name)
    text = said(page)
    for label in ("circle", "square", "triangle"):
        assert f"<b>{label}</b>" in text
    assert text.count('<ul class="ts-sheet"') == 3 and text.count("data:image/jpeg;base64,") == 24
    page.button(key="show-class-1").click().run()
    assert len(names(page)) == 12 and all(name.startswith("square/") for name in names(page))


def test_a_class_is_renamed_and_merged(project: Project, open_page: Open) -> None:
    """A free name renames, a taken one merges, and how many pictures that is stands there before."""
    page = open_page("Data", project=project.folder.name)
    page.session_state["class to rename"] = "circle"
    page.run()
    assert page.button(key="rename-do").disabled
    page.session_state["class to rename"] = "circle"
    page.text_input(key="rename-to").set_value("square").run()
    assert "with 12 pictures" in said(page) and "24 pictures" in said(page)
    page.session_state["class to rename"] = "circle"
    page.button(key="rename-do").click().run()
    assert {count.label: count.total for count in project.table.classes()} == {"square": 24, "triangle": 12}
    page = open_page("Data", project=project.folder.name)
    page.button(key="undo").click().run()
    assert len(project.table.classes()) == 3


def test_edits_of_another_tab_can_be_taken_back(project: Project, open_page: Open) -> None:
    """The list of changes is on disk: whoever opens the page sees what would be taken back, in words."""
    first = open_page("Data", project=project.folder.name)
    assert "undo" not in [button.key for button in first.button]
    Edits(project).relabel([sample.id for sample in project.table.samples(label="circle")][:3], "oval *new*")
    page = open_page("Data", project=project.folder.name)
    assert page.button(key="undo").label == "Undo: 3 pictures to oval \\*new\\*"
    page.button(key="undo").click().run()
    assert project.table.count(label="circle") == 12
    assert page.button(key="redo").label == "Redo: 3 pictures to oval \\*new\\*"
    page.button(key="redo").click().run()
    assert project.table.count(label="oval *new*") == 3


def test_actions_become_edits(project: Project) -> None:
    ids = tuple(sample.id for sample in project.table.samples(label="circle"))
    editing.carry_out(project, Action("relabel", ids[:2], to="oval"))
    editing.carry_out(project, Action("exclude", ids[2:4]))
    editing.carry_out(project, Action("move", ids[4:5], to="test"))
    everything = [sample.id for sample in Wanted(label="square").samples(project)]
    editing.carry_out(project, Action("relabel", (), everything=True, to="cube"), everything)
    found = {sample.id: sample for sample in project.table.samples(state=None)}
    assert [found[id].label for id in ids[:2]] == ["oval", "oval"]
    assert [found[id].state for id in ids[2:4]] == ["excluded", "excluded"]
    assert found[ids[4]].split == "test" and project.table.count(label="cube") == 12
    editing.carry_out(project, Action("restore", ids[2:4]))
    editing.carry_out(project, Action("undo"))
    assert project.table.count(state="excluded") == 2
    editing.carry_out(project, Action("redo"))
    assert project.table.count(state="excluded") == 0


@pytest.mark.parametrize(
    "told",
    [
        None,
        "relabel",
        {},
        {"number": 1, "kind": "delete", "ids": [1]},
        {"number": 1, "kind": "relabel", "ids": "1", "to": "x"},
        {"number": 1, "kind": "relabel", "ids": ["1"], "to": "x"},
        {"number": 1, "kind": "relabel", "ids": [True], "to": "x"},
        {"number": 1, "kind": "relabel", "ids": [1], "to": 5},
        {"number": "1", "kind": "exclude", "ids": [1]},
    ],
)
def test_what_a_browser_may_not_say_is_passed_over(told: Any) -> None:
    """Anything can stand in a message from outside."""
    assert read_action(told) is None


def test_what_a_browser_says() -> None:
    told = {"number": 7.0, "kind": "relabel", "ids": [3, 4], "everything": False, "to": "cat"}
    assert read_action(told) == Action("relabel", (3, 4), False, "cat")
    assert read_action({"number": 8, "kind": "undo", "ids": []}) == Action("undo")


def test_what_fails_takes_nothing_along(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two keys pressed quickly come in one message; both count as done then."""
    told = [{"number": number, "kind": "relabel", "ids": [number], "to": "cat"} for number in (1, 2)]
    monkeypatch.setattr(picture_grid.st, "session_state", {"grid": SimpleNamespace(actions=told)})
    done = []

    def act(action: Action) -> None:
        if action.ids == (1,):
            raise DataError("It is gone.", code="gone")
        done.append(action.ids)

    picture_grid._carry_out("grid", act)
    assert done == [(2,)]
    picture_grid._carry_out("grid", act)
    assert done == [(2,)], "and neither twice"


def test_texts_of_pictures_are_data(project: Project, open_page: Open) -> None:
    """Names go into the component as they are, on one line: it writes them as text."""
    Edits(project).rename("circle", "<img src=x> :smile: *a*")
    page = open_page("Data", project=project.folder.name, view="pictures")
    assert {item["label"] for item in grids(page)[0]["items"]} >= {"<img src=x> :smile: *a*"}
    assert ["<img src=x> :smile: *a*"] * 2 in grids(page)[0]["classes"]


def test_a_map_is_drawn_from_what_is_there(project: Project, open_page: Open) -> None:
    """Points carry the ids of their pictures; an edit shows at once, without a new map."""
    drawn_map(project)
    page = open_page("Data", project=project.folder.name, view="map")
    assert not page.exception and not page.error and not jobs.list_jobs(project.folder)
    (chart,) = page.get("plotly_chart")
    assert '"name":"square"' in chart.proto.spec.replace(" ", "")
    Edits(project).rename("square", "cube")
    page.run()
    (chart,) = page.get("plotly_chart")
    assert '"name":"cube"' in chart.proto.spec.replace(" ", "")
    chosen = [sample.id for sample in project.table.samples()[:3]]
    Edits(project).exclude([project.table.samples()[-1].id])
    page.session_state["pictures selected on the map"] = tuple(chosen)
    page.run()
    assert [item["id"] for item in grids(page)[0]["items"]] == chosen
    assert "are drawn" not in said(page), "as if there were too many to draw"


def test_new_pictures_are_said_to_be_missing_on_the_map(project: Project, open_page: Open, pictures: Callable[..., Path]) -> None:
    from transfer_core.data.scan import scan

    drawn_map(project)
    pictures(["star"], count=2, under=project.sources[0].folder, seed=5)
    scan(project)
    page = open_page("Data", project=project.folder.name, view="map")
    assert "2 pictures are not on the map yet" in said(page)
    assert page.button(key="map-again")


def test_what_a_chart_says_is_selected() -> None:
    points = [{"customdata": 4}, {"customdata": [5]}, {"customdata": 4}, {"customdata": "x"}, {}, None]
    assert similarity.selected_ids({"selection": {"points": points}}) == (4, 5)
    assert similarity.selected_ids(None) == similarity.selected_ids({"selection": []}) == ()


def test_where_to_take_them(project: Project, open_page: Open) -> None:
    """A folder among the pictures is refused with a sentence, and nothing is begun."""
    page = open_page("Data", project=project.folder.name, view="export")
    assert "36 pictures in use" in said(page)
    page.text_input(key="export-folder").set_value(str(project.sources[0].folder / "copy")).run()
    page.button(key="export-copy").click().run()
    assert len(page.error) == 1 and "taken for new pictures" in page.error[0].value
    assert not jobs.list_jobs(project.folder)

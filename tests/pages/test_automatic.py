"""The line about the automatic model, its place among the models to try, and the preference."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui import automatic as line
from tests.pages.test_pages import said
from transfer_core import preferences
from transfer_core.data.project import Project
from transfer_core.errors import DataError
from transfer_core.files import write_json
from transfer_core.runs import automatic
from transfer_core.runs.automatic import Automatic
from transfer_core.runs.events import EventWriter
from transfer_core.runs.folder import AUTOMATIC, Run, create_run
from transfer_core.training.samples import RunSamples
from transfer_core.training.settings import RunSettings

SCORE = {"accuracy": 0.8, "low": 0.49, "high": 0.94, "count": 10}
OpenPage = Callable[..., AppTest]


@pytest.fixture
def make_model(project: Project, colour_model: Path) -> Callable[..., Run]:
    """`make_model(within)` puts a finished run with a model into the project."""

    def make(within: str = AUTOMATIC) -> Run:
        run = create_run(project, RunSettings(), within=within)
        shutil.copytree(colour_model, run.model_folder)
        RunSamples.of_project(project).write(run.folder)
        (run.folder / "answers.jsonl").write_text("")
        write_json(run.report_file, {"val": SCORE, "test": SCORE | {"accuracy": 0.1}})
        with EventWriter(run.events_file) as events:
            events.write("run_finished", report={"val": SCORE, "test": None})
        return run

    return make


@pytest.fixture
def wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Automatic models are wanted, but no process is started."""
    automatic.want(True)
    monkeypatch.setattr(automatic, "QUIET", 1e9)


def test_every_state_has_its_sentence(make_model: Callable[..., Run]) -> None:
    model = make_model()
    problem = DataError("Nothing in *here*.", fix="Look elsewhere.")
    states = [
        Automatic("few"),
        Automatic("many"),
        Automatic("waiting", model),
        Automatic("behind"),
        Automatic("behind", model),
        Automatic("ready", model),
        Automatic("failed", model, problem),
    ]
    sentences = [line._sentence(state) for state in states]
    assert len(set(sentences)) == len(states) and all(state.status in line._ICONS for state in states)
    assert "\\*here\\*" in sentences[-1] and "Look elsewhere" in sentences[-1]
    assert line._sentence(Automatic("training", model)) == sentences[4]


def test_the_score_is_that_of_pictures_it_did_not_learn_from_with_its_range(
    project: Project, make_model: Callable[..., Run], wanted: None, open_page: OpenPage
) -> None:
    make_model()
    text = said(open_page("Data", project=project.folder.name))
    assert "A quick model follows your pictures" in text
    assert "8 of 10 held-out pictures" in text and "between 49 % and 94 %" in text, "and not the test set, which is for the end"


def test_a_first_one_is_announced(project: Project, wanted: None, open_page: OpenPage) -> None:
    assert "A first quick model" in said(open_page("Data", project=project.folder.name))
    page = open_page("Try", project=project.folder.name)
    assert "A first quick model" in said(page) and "no trained model" in said(page)


def test_it_is_tried_where_there_is_no_other(
    project: Project, make_model: Callable[..., Run], wanted: None, open_page: OpenPage
) -> None:
    make_model()
    page = open_page("Try", project=project.folder.name)
    assert not page.exception and not page.error and not page.selectbox
    assert "changes whenever your pictures do" in said(page)
    assert [area.key for area in page.get("file_uploader")] == [f"dropped-{AUTOMATIC}"]


def test_models_of_the_users_come_first_and_it_can_be_chosen(
    project: Project, make_model: Callable[..., Run], wanted: None, open_page: OpenPage
) -> None:
    quick, own = make_model(), make_model("runs")
    page = open_page("Try", project=project.folder.name)
    assert page.selectbox[0].value == own.id and len(page.selectbox[0].options) == 2
    assert page.selectbox[0].options[1] == "Automatic model, follows your pictures · 80 %"
    page = open_page("Try", project=project.folder.name, run=AUTOMATIC)
    assert page.selectbox[0].value == quick.id
    assert "changes whenever your pictures do" in said(page)


@pytest.mark.parametrize("name", ["Train", "Results", "Runs", "Backbone", "Data"])
def test_other_pages_know_nothing_of_it(
    name: str, project: Project, make_model: Callable[..., Run], wanted: None, open_page: OpenPage
) -> None:
    make_model()
    page = open_page(name, project=project.folder.name, run=AUTOMATIC)
    assert not page.exception and not page.error
    if name == "Runs":
        assert "Nothing was trained in this project yet" in said(page)
    if name == "Results":
        assert "no trained model" in said(page)


def test_the_address_names_it_while_there_is_none(project: Project, wanted: None, open_page: OpenPage) -> None:
    page = open_page("Try", project=project.folder.name, run=AUTOMATIC)
    assert not page.exception and not page.error


def test_the_preference(project: Project, make_model: Callable[..., Run], open_page: OpenPage) -> None:
    make_model()
    assert "quick model" not in said(open_page("Data", project=project.folder.name))
    assert "no trained model" in said(open_page("Try", project=project.folder.name))
    page = open_page("Settings")
    toggle = page.toggle(key="automatic-wanted")
    assert toggle.value is False
    toggle.set_value(True).run()
    assert preferences.read().get(automatic.PREFERENCE) is None and page.toggle(key="automatic-wanted").value is True
    page.toggle(key="automatic-wanted").set_value(False).run()
    assert not automatic.wanted()

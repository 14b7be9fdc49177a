"""Every page without a browser: what it shows of a project, and that nothing goes wrong on the way."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui import guard
from transfer_core import i18n, preferences
from transfer_core.data.project import Project
from transfer_core.files import write_json
from transfer_core.runs.folder import create_run
from transfer_core.training.settings import RunSettings

PAGES = ["", "Data", "Backbone", "Train", "Results", "Try", "Runs", "Settings"]


def said(page: AppTest) -> str:
    """What a page says in its texts, boxes and tables."""
    kinds = ("title", "header", "markdown", "caption", "text", "info", "warning", "error", "html")
    return "\n".join(str(element.value if kind != "html" else element.proto.body) for kind in kinds for element in page.get(kind))


@pytest.mark.parametrize("name", PAGES)
def test_a_page_without_a_project(name: str, open_page: Callable[..., AppTest]) -> None:
    page = open_page(name)
    assert not page.exception
    assert ("Open one on the home page first." in said(page)) == (name not in ("", "Settings"))


@pytest.mark.parametrize("name", PAGES)
def test_a_page_of_a_project(name: str, project: Project, open_page: Callable[..., AppTest]) -> None:
    page = open_page(name, project=project.folder.name)
    assert not page.exception and not page.error
    assert [title.value for title in page.title]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_in_chinese(name: str, project: Project, open_page: Callable[..., AppTest]) -> None:
    page = open_page(name, project=project.folder.name, lang="zh_CN")
    assert not page.exception and not page.error
    assert any("\u4e00" <= letter <= "\u9fff" for letter in page.title[0].value)


@pytest.mark.parametrize("key", ["nothing", "../..", "/", "x" * 5000, "<b>", "a\0b", "~"])
def test_an_address_of_no_project(key: str, open_page: Callable[..., AppTest]) -> None:
    page = open_page("Data", project=key)
    assert not page.exception
    assert len(page.error) == 1


def test_a_project_elsewhere_is_named_by_its_path(project: Project, tmp_path: Path, open_page: Callable[..., AppTest]) -> None:
    elsewhere = project.folder.rename(tmp_path / "elsewhere")
    page = open_page("Data", project=str(elsewhere))
    assert not page.error and "36" in [metric.value for metric in page.metric]


def test_data_counts_and_says_what_was_left_out(project: Project, open_page: Callable[..., AppTest]) -> None:
    from transfer_core.data.scan import scan

    (project.sources[0].folder / "circle" / "broken <b>.jpg").write_bytes(b"nothing")
    scan(project)
    page = open_page("Data", project=project.folder.name)
    assert [metric.value for metric in page.metric] == ["36", "3", "1"]
    assert "circle" in said(page) and not page.warning


def test_a_project_that_cannot_be_learned_from_says_why(
    pictures: Callable[..., Path], tmp_path: Path, open_page: Callable[..., AppTest]
) -> None:
    from transfer_core.data.scan import scan

    lone = Project.for_source(pictures(["only"], under=tmp_path / "lone"))
    scan(lone)
    for name in ("Data", "Train"):
        page = open_page(name, project=lone.folder.name)
        assert "only one class" in said(page)
        button = page.button(key="forward-train" if name == "Data" else "start")
        assert button.disabled


def test_a_queued_run_waits_for_its_button(project: Project, open_page: Callable[..., AppTest]) -> None:
    run = create_run(project, RunSettings())
    page = open_page("Train", project=project.folder.name, run=run.id)
    assert page.title[0].value == "Ready to train" and page.button(key="resume").label == "Start training"
    page = open_page("Results", project=project.folder.name, run=run.id)
    assert "no model yet" in said(page)
    page = open_page("Runs", project=project.folder.name)
    assert "starter\\, quick" in said(page)


def test_a_foreseen_problem_is_said_and_an_unforeseen_one_logged(caplog: pytest.LogCaptureFixture) -> None:
    def script() -> None:
        import streamlit as st

        from pages.ui.guard import guard
        from transfer_core.errors import DataError

        with guard():
            raise DataError("Nothing in *here*.", fix="Look <there>.")
        with guard():
            raise ValueError("secret detail")
        st.text("the rest of the page")

    with caplog.at_level(logging.ERROR, logger=guard.LOG.name):
        page = AppTest.from_function(script).run()
    assert not page.exception
    assert page.error[0].value == "Nothing in \\*here\\*\\.\n\nLook \\<there\\>\\."
    assert "did not foresee" in page.error[1].value and "secret" not in page.error[1].value
    assert "secret detail" in caplog.text and "Traceback" in caplog.text
    assert page.text[0].value == "the rest of the page"


def test_the_language_of_the_address_before_that_of_the_settings(open_page: Callable[..., AppTest]) -> None:
    assert open_page("Settings").title[0].value == "Settings"
    write_json(preferences.settings_file(), {"language": "zh_CN"})
    assert open_page("Settings").title[0].value != "Settings"
    assert open_page("Settings", lang="en").title[0].value == "Settings"
    preferences.settings_file().write_text("{broken", encoding="utf-8")
    assert open_page("Settings").title[0].value == "Settings"
    i18n.set_language(None)

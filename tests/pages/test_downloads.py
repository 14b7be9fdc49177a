"""The weights of a backbone on the Backbone page, as their job stands."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from typing import Any

import psutil
import pytest
from streamlit.testing.v1 import AppTest

from tests.pages.test_pages import said
from transfer_core.data.project import Project
from transfer_core.errors import WeightsError
from transfer_core.runs import control, jobs
from transfer_core.runs.events import EventWriter
from transfer_core.runs.process import FILE

NAME = "mobilenet_v2"
KEY = f"download-{NAME}"
PROGRESS = {"done": 6_000_000, "total": 14_000_000, "bytes_per_second": 2_000_000, "eta_seconds": 4.0}


@pytest.fixture
def job() -> jobs.Job:
    """A job that fetches weights, not begun."""
    return jobs.create_job("fetch", {"backbone": NAME})


def tell(job: jobs.Job, *events: str, **fields: Any) -> None:
    """Let this process be the job's, and tell these events; the last one has the fields."""
    worker = {"pid": os.getpid(), "create_time": psutil.Process().create_time(), "began": time.time() - 10}
    (job.folder / FILE).write_text(json.dumps(worker))
    with EventWriter(job.events_file) as writer:
        for event in events[:-1]:
            writer.write(event)
        writer.write(events[-1], **fields)


def bars(page: AppTest) -> list[str]:
    return [bar.proto.text for bar in page.get("progress")]


def keys(page: AppTest) -> set[str | None]:
    return {button.key for button in page.button}


def test_what_is_not_here_is_offered(project: Project, open_page: Callable[..., AppTest]) -> None:
    page = open_page("Backbone", project=project.folder.name)
    assert page.button(key=KEY).label == "Download now"
    assert "Its weights are here" in said(page)  # the starter's
    assert not bars(page) and "download-starter" not in keys(page)


def test_progress_and_cancel(project: Project, open_page: Callable[..., AppTest], job: jobs.Job) -> None:
    tell(job, "run_started")
    assert bars(open_page("Backbone", project=project.folder.name)) == ["The download begins"]
    tell(job, "progress", **PROGRESS)
    page = open_page("Backbone", project=project.folder.name)
    assert bars(page) == ["Downloading: 6.0 MB of 14 MB · 2.0 MB a second · about 4 seconds left"]
    assert KEY not in keys(page)
    page.button(key=f"cancel-{NAME}").click().run()
    assert control.requested(job.folder) == "stop"
    assert "Cancelling" in said(page) and f"cancel-{NAME}" not in keys(page)


def test_a_size_that_is_not_known_promises_nothing(project: Project, open_page: Callable[..., AppTest], job: jobs.Job) -> None:
    tell(job, "run_started", "progress", **PROGRESS | {"total": 0, "eta_seconds": None})
    assert bars(open_page("Backbone", project=project.folder.name)) == ["Downloading: 6.0 MB · 2.0 MB a second"]


def test_a_failure_says_what_to_do(project: Project, open_page: Callable[..., AppTest], job: jobs.Job) -> None:
    error = WeightsError("The server is *away*.", fix="Plug the cable in.")
    tell(job, "run_started", "run_failed", error=error.as_data())
    page = open_page("Backbone", project=project.folder.name)
    assert [shown.value for shown in page.error] == ["The server is \\*away\\*\\.\n\nPlug the cable in\\."]
    assert page.button(key=KEY).label == "Try again"


def test_an_old_failure_is_not_dug_up(
    project: Project, open_page: Callable[..., AppTest], job: jobs.Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(job, "run_started", "run_failed", error=WeightsError("Away.").as_data())
    monkeypatch.setattr("pages.ui.downloads._RECENT", -1)
    page = open_page("Backbone", project=project.folder.name)
    assert not page.error and page.button(key=KEY).label == "Download now"


def test_a_cancelled_one_is_offered_again(project: Project, open_page: Callable[..., AppTest], job: jobs.Job) -> None:
    tell(job, "run_started", "run_stopped")
    page = open_page("Backbone", project=project.folder.name)
    assert not page.error and page.button(key=KEY).label == "Download now"


def test_pressed_it_is_begun(project: Project, open_page: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch) -> None:
    begun = []
    monkeypatch.setattr(jobs, "begin", lambda kind, arguments: begun.append((kind, arguments)))
    open_page("Backbone", project=project.folder.name).button(key=KEY).click().run()
    assert begun == [("fetch", {"backbone": NAME})]


def test_other_pages_have_it_in_the_sidebar(project: Project, open_page: Callable[..., AppTest], job: jobs.Job) -> None:
    second = jobs.create_job("fetch", {"backbone": "resnet18"})
    for each in (job, second):
        tell(each, "run_started", "progress", **PROGRESS)
    page = open_page("Data", project=project.folder.name)
    assert not page.exception and len(bars(page)) == 2
    assert "mobilenet\\_v2" in "".join(text.value for text in page.sidebar.markdown)

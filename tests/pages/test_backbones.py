"""The Backbone page without a browser: cards, filters, the chart, the choice by pictures, and files that are brought."""

from __future__ import annotations

import gc
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from streamlit.testing.v1 import AppTest

from pages.ui import drafts
from pages.ui.shortlist import SUGGESTED, Wanted, shortlist
from tests.advice.test_listing import keep, train
from tests.pages.test_pages import said
from tests.yardstick import slowness
from transfer_core.advice.listing import listing
from transfer_core.data.project import Project
from transfer_core.data.scan import scan
from transfer_core.errors import WeightsError
from transfer_core.files import write_json
from transfer_core.runs import control, jobs
from transfer_core.runs.events import EventWriter
from transfer_core.runs.process import FILE

FIRST, AGAIN = 0.5, 0.15  # seconds of the processor: other people's work is not the page's


def names(page: AppTest) -> list[str]:
    """The backbones that can be chosen, in the order of their cards."""
    return [str(button.key).removeprefix("choose-") for button in page.button if str(button.key).startswith("choose-")]


def tell(job: jobs.Job, *events: str, report: dict[str, Any] | None = None, **fields: Any) -> None:
    """Let this process be the job's, and tell these events; the last one has the fields."""
    worker = {"pid": os.getpid(), "create_time": psutil.Process().create_time(), "began": time.time() - 10}
    (job.folder / FILE).write_text(json.dumps(worker))
    if report is not None:
        write_json(job.report_file, report)
    with EventWriter(job.events_file) as writer:
        for event in events[:-1]:
            writer.write(event)
        writer.write(events[-1], **fields)


def row(label: str, backbone: str, right: float | None, **other: Any) -> dict[str, Any]:
    score = {"accuracy": right, "low": right - 0.1, "high": right + 0.05, "count": 100} if right is not None else None
    plain = {"label": label, "backbone": backbone, "digest": None, "size": 224, "file_size": 10_000_000, "commercial": True}
    seconds = {"accuracy": None, "seconds": 12.0, "seconds_measured": True, "evidence": 0.1}
    return plain | seconds | {"neighbours": score, "score": 1.0, "validated": score, "left_out": ""} | other


def choice(project: Project, **other: Any) -> dict[str, Any]:
    rows = [
        row("ResNet18", "resnet18", 0.9),
        row("Starter", "starter", 0.8, validated=None),
        row("Big *one*", "resnet50", None, left_out="It takes _too_ long."),
    ]
    why = {"rows": rows, "recommended": rows[0], "why": "ResNet18 is the best.", "looked_at": 36, "pictures": 36}
    return why | {"fingerprint": project.table.fingerprint()} | other


@pytest.fixture
def opened(project: Project, open_page: Callable[..., AppTest]) -> AppTest:
    """The page as somebody finds it who did nothing yet."""
    return open_page("Backbone", project=project.folder.name)


@pytest.fixture
def choosing(project: Project) -> jobs.Job:
    """A job that chooses, not begun."""
    return jobs.create_job("choose", {"project": str(project.folder), "download": [], "threads": 0}, project.folder)


def test_calm_at_first(opened: AppTest) -> None:
    assert not opened.exception and not opened.error
    assert set(names(opened)) == set(SUGGESTED) - {"starter"}
    assert "search" not in {field.key for field in opened.text_input}
    assert "(estimated)" in said(opened) and "Let your pictures choose" in said(opened)
    assert not opened.get("plotly_chart")


def test_filters_and_orders(opened: AppTest) -> None:
    opened.segmented_control(key="which").set_value("all").run()
    opened.text_input(key="search").set_value("swag").run()
    assert names(opened) and all("SWAG" in name for name in names(opened))
    assert said(opened).count("Not for commercial use") == len(names(opened))
    opened.text_input(key="search").set_value("resnet")
    opened.selectbox(key="order").set_value("size").run()
    first = names(opened)
    assert first[0] == "resnet18"
    opened.selectbox(key="order").set_value("accuracy").run()
    assert names(opened) != first
    opened.toggle(key="only-here").set_value(True).run()
    assert not names(opened) and "Ask for less above" in said(opened)


def test_what_fits_time_and_memory() -> None:
    rows = listing(1000, threads=2)
    quick = shortlist(rows, Wanted("all", seconds=5.0, order="accuracy"))
    assert quick and all(row.seconds <= 5 for row in quick)
    assert [row.accuracy or 0 for row in quick] == sorted((row.accuracy or 0 for row in quick), reverse=True)
    small = shortlist(rows, Wanted("all", need="training", memory=2e9, order="time"))
    assert small and all(row.training_memory <= 2e9 for row in small)
    assert len(shortlist(rows, Wanted("all", need="frozen", memory=2e9))) > len(small)
    sensible = shortlist(rows, Wanted("all"))
    assert sensible[0].info.name == "starter" and sensible[-1].non_commercial


def test_a_file_of_ones_own_and_a_trained_model_can_be_chosen(project: Project, open_page: Callable[..., AppTest]) -> None:
    file, parameters = keep("resnet18", "mine <b>.pth", "0" * 64), train("flowers", "run-1", "resnet34")
    page = open_page("Backbone", project=project.folder.name)
    page.segmented_control(key="which").set_value("mine").run()
    assert len(names(page)) == 2 and "flowers\\, run\\-1" in said(page)
    for name, weights in (("resnet18", file), ("resnet34", parameters)):
        key = next(f"choose-{each}" for each in names(page) if each.startswith(name))
        page.button(key=key).click().run()
        assert not page.exception
        assert (drafts.read(project).backbone, drafts.read(project).weights) == (name, str(weights))
    # Until the published ones are here, the name alone means the user's.
    page.segmented_control(key="which").set_value("suggested").run()
    assert page.button(key="choose-resnet18").disabled and "download them first" in said(page)


def test_the_chart_is_drawn_when_it_is_asked_for(opened: AppTest) -> None:
    opened.session_state["front"] = True
    opened.run()
    chart = json.loads(opened.get("plotly_chart")[0].proto.spec)
    assert chart["layout"]["xaxis"]["type"] == "log"
    traces = {trace["name"]: trace for trace in chart["data"]}
    assert {"best for its time", "estimated", "not for commercial use"} <= set(traces)
    assert "measured" not in traces and 2 <= len(chart["layout"]["annotations"]) <= 5


def test_there_has_to_be_something_to_compare(opened: AppTest) -> None:
    assert opened.button(key="choose").disabled and "Only one network is here" in said(opened)
    opened.checkbox(key="choose-more").set_value(True).run()
    assert not opened.button(key="choose").disabled and "8 networks" in said(opened)


def test_the_choice_is_begun_with_what_was_asked_for(
    project: Project, open_page: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = []
    monkeypatch.setattr(jobs, "begin", lambda *arguments: begun.append(arguments))
    keep("resnet18", "mine.pth", "0" * 64)
    page = open_page("Backbone", project=project.folder.name)
    page.button(key="choose").click().run()
    arguments = {"project": str(project.folder), "download": [], "threads": 0}
    assert begun == [("choose", arguments, project.folder)]
    page.checkbox(key="choose-more").set_value(True)
    page.button(key="choose").click().run()
    assert "mobilenet_v2" in begun[1][1]["download"] and "starter" not in begun[1][1]["download"]


def test_a_choice_at_work(project: Project, open_page: Callable[..., AppTest], choosing: jobs.Job) -> None:
    tell(choosing, "run_started", "phase", name="features")
    tell(choosing, "progress", done=20, total=36, eta_seconds=7.2, candidate="ResNet*18*")
    page = open_page("Backbone", project=project.folder.name)
    assert [bar.proto.text for bar in page.get("progress")] == [
        "ResNet\\*18\\* · Computing features · 20 of 36 · about 7 seconds left"
    ]
    page.button(key="stop-choose").click().run()
    assert control.requested(choosing.folder) == "stop" and "Stopping" in said(page)


def test_the_outcome_and_use_it(project: Project, open_page: Callable[..., AppTest], choosing: jobs.Job) -> None:
    report = choice(project)
    tell(choosing, "run_started", "run_finished", report=report)
    page = open_page("Backbone", project=project.folder.name)
    text = said(page)
    assert "ResNet18 is the best" in text and "90 % (80 % to 95 %)" in text and "about 80 %" in text and "12 s (measured)" in text
    assert "Big \\*one\\*" in text and "\\_too\\_ long" in text
    assert "have changed since" not in text
    page.button(key="use-recommended").click().run()
    assert drafts.read(project).backbone == "resnet18" and "It is the one that training starts from" in said(page)
    page.button(key="use-0").click().run()
    assert drafts.read(project).backbone == "starter"
    (project.sources[0].folder / "circle" / "000.jpg").unlink()
    scan(project)
    assert "have changed since" in said(open_page("Backbone", project=project.folder.name))


def test_a_choice_that_failed_or_was_stopped(project: Project, open_page: Callable[..., AppTest], choosing: jobs.Job) -> None:
    tell(choosing, "run_started", "run_stopped")
    assert "It was stopped" in said(open_page("Backbone", project=project.folder.name))
    tell(choosing, "run_resumed", "run_failed", error=WeightsError("Odd.", fix="Mend it.").as_data())
    page = open_page("Backbone", project=project.folder.name)
    assert [error.value for error in page.error] == ["Odd\\.\n\nMend it\\."]


def inspected(project: Project, **other: Any) -> jobs.Job:
    job = jobs.create_job("inspect", {"file": "/x/own.pth", "backbone": None}, project.folder)
    match = {"matched": ["a"] * 60, "missing": [], "left_over": ["fc.weight", "fc.`b`"], "other_shape": []}
    report = {"file": "/x/own.pth", "digest": "0", "backbone": "resnet18", "published_as": None, "match": match}
    tell(job, "run_started", "run_finished", report=report | {"parameters": 11_176_512, "usable": True, "problem": None} | other)
    return job


def test_a_file_that_fits(project: Project, open_page: Callable[..., AppTest]) -> None:
    inspected(project)
    page = open_page("Backbone", project=project.folder.name)
    text = said(page)
    assert "It fits **ResNet18**" in text and "60 of its parts match: 11,176,512 learned numbers" in text
    assert "2 (`fc.weight`, `fc.'b'`)" in text
    page.button(key="use-file").click().run()
    assert (drafts.read(project).backbone, drafts.read(project).weights) == ("resnet18", "/x/own.pth")


def test_a_file_that_does_not_fit_says_why(project: Project, open_page: Callable[..., AppTest]) -> None:
    problem = WeightsError("own.pth does not fit.", fix="Bring another.").as_data()
    match = {"matched": [], "missing": [f"layer{n}" for n in range(9)], "left_over": [], "other_shape": ["conv1.weight"]}
    inspected(project, usable=False, problem=problem, match=match)
    page = open_page("Backbone", project=project.folder.name)
    assert "Missing: 9 (`layer0`, `layer1`, `layer2`, `layer3`, …)" in said(page)
    assert [error.value for error in page.error] == ["own\\.pth does not fit\\.\n\nBring another\\."]
    assert not any(button.key == "use-file" for button in page.button)


def test_a_file_is_looked_at_in_a_process_of_its_own(
    project: Project, open_page: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    begun = []
    monkeypatch.setattr(jobs, "begin", lambda *arguments: begun.append(arguments))
    page = open_page("Backbone", project=project.folder.name)

    def look(path: Path) -> None:
        page.text_input(key="own-file").set_value(str(path))
        next(button for button in page.button if button.label == "Look at this file").click().run()

    look(tmp_path / "none.pth")
    assert "There is no file" in page.error[0].value and not begun
    file = tmp_path / "own.pth"
    file.write_bytes(b"weights")
    look(file)
    assert begun == [("inspect", {"file": str(file), "backbone": None}, project.folder)]


def test_timm_is_offered_where_it_is_installed(
    project: Project, open_page: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    begun, file = [], tmp_path / "timm-1.0.json"
    monkeypatch.setattr(jobs, "begin", lambda *arguments: begun.append(arguments))
    for module in ("pages.ui.backbones", "pages.ui.timm_offer"):
        monkeypatch.setattr(f"{module}.timm_file", lambda: file)
    page = open_page("Backbone", project=project.folder.name)
    page.segmented_control(key="which").set_value("timm").run()
    page.button(key="add-timm").click().run()
    assert begun == [("timm", {"version": "timm-1.0"})]
    for module in ("pages.ui.backbones", "pages.ui.timm_offer"):
        monkeypatch.setattr(f"{module}.timm_file", lambda: None)
    page = open_page("Backbone", project=project.folder.name)
    assert "timm" not in page.segmented_control(key="which").options


@pytest.mark.timed
def test_the_first_drawing_and_filters_are_quick(project: Project, open_page: Callable[..., AppTest]) -> None:
    gc.collect()  # what the other tests have imported takes half a second, whenever it is due
    began = time.process_time()
    page = open_page("Backbone", project=project.folder.name)
    first = time.process_time() - began
    page.segmented_control(key="which").set_value("all").run()
    times = []
    for text in ("resnet", "v2", ""):
        page.text_input(key="search").set_value(text)
        began = time.process_time()
        page.run()
        times.append(time.process_time() - began)
    print(f"first {first:.3f} s, filter {max(times):.3f} s")
    assert first < FIRST * slowness() and sorted(times)[1] < AGAIN * slowness()

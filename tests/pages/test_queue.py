"""The queue, comparing, and what can be asked of trainings, on pages run without a browser."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest
from streamlit.testing.v1 import AppTest

from pages.ui import charts, training
from transfer_core.data.project import Project
from transfer_core.files import write_json
from transfer_core.runs import control, dispatcher, launch, queue
from transfer_core.runs.events import EventWriter
from transfer_core.runs.folder import Run, create_run, list_runs
from transfer_core.training.settings import RunSettings

OpenPage = Callable[..., AppTest]


@pytest.fixture(autouse=True)
def nobody_gives_turns(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(dispatcher, "command", lambda: [sys.executable, "-c", ""])
    monkeypatch.setattr(dispatcher, "start_due", dict)
    yield


@pytest.fixture
def runs(project: Project) -> list[Run]:
    """Three that wait, called a, b and c."""
    made = [create_run(project, RunSettings(seed=seed), name=name) for seed, name in enumerate("abc")]
    for run in made:
        queue.add(run)
    return made


def waiting() -> list[str]:
    return [Run(entry.folder).name for entry in queue.order()]


def said(page: AppTest) -> str:
    kinds = (page.title, page.markdown, page.caption, page.info, page.text)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def carried_by_this_process(run: Run, *events: tuple[str, dict[str, Any]]) -> None:
    own = psutil.Process()
    write_json(run.folder / "worker.json", {"pid": os.getpid(), "create_time": own.create_time(), "began": time.time()})
    with EventWriter(run.events_file) as writer:
        writer.write("run_started")
        for name, fields in events:
            writer.write(name, **fields)


def epoch(number: int) -> tuple[str, dict[str, Any]]:
    values = {
        "train_loss": 1 / number,
        "val_loss": 1.5 / number,
        "train_accuracy": 0.5,
        "val_accuracy": 0.4,
        "learning_rate": 0.1,
    }
    return "epoch", {"step": number, "epoch": number, **values}


def test_reordered_and_cancelled_by_the_buttons(project: Project, runs: list[Run], open_page: OpenPage) -> None:
    page = open_page("Runs", project=project.folder.name)
    assert not page.exception and "Waiting, place 2" in said(page)
    assert "not known yet" in said(page)
    page.button(key=f"front-{runs[2].id}").click().run()
    assert waiting() == ["c", "a", "b"]
    page.button(key=f"down-{runs[2].id}").click().run()
    assert waiting() == ["a", "c", "b"]
    page.button(key=f"up-{runs[1].id}").click().run()
    assert waiting() == ["a", "b", "c"]
    page.button(key=f"cancel-{runs[1].id}").click().run()
    assert waiting() == ["a", "c"] and not page.error
    page.button(key=f"resume-{runs[1].id}").click().run()
    assert waiting() == ["a", "c", "b"]


def test_pressed_too_late_in_another_tab(project: Project, runs: list[Run], open_page: OpenPage) -> None:
    page = open_page("Runs", project=project.folder.name)
    queue.cancel(runs[1])
    page.button(key=f"cancel-{runs[1].id}").click().run()
    assert waiting() == ["a", "c"] and not page.error and not page.exception


def test_time_left_by_runs_before(project: Project, runs: list[Run], open_page: OpenPage) -> None:
    done = create_run(project, RunSettings())
    write_json(done.report_file, {"seconds": {"total": 20.0, "train": 5.0}})
    assert "About 1 min 0 s left for the whole queue" in said(open_page("Runs", project=project.folder.name))


def test_one_at_work_says_where_and_what_it_takes(project: Project, runs: list[Run], open_page: OpenPage) -> None:
    told = {"done": 5, "total": 10, "images_per_second": 7.0, "eta_seconds": 90.0}
    carried_by_this_process(runs[0], ("phase", {"name": "train"}), ("progress", told))
    page = open_page("Runs", project=project.folder.name)
    text = said(page)
    assert "Processor: there is no graphics card" in text and "of memory" in text and "about 1 min 30 s left" in text
    page.button(key=f"pause-{runs[0].id}").click().run()
    assert control.requested(runs[0].folder) == "pause" and "Pausing" in said(page)


def test_a_training_that_waits_says_so_and_can_be_taken_out(project: Project, runs: list[Run], open_page: OpenPage) -> None:
    page = open_page("Train", project=project.folder.name, run=runs[2].id)
    assert page.title[0].value == "Waiting for its turn" and "2 trainings go first" in said(page)
    page.button(key="cancel").click().run()
    assert waiting() == ["a", "b"] and page.title[0].value == "Ready to train"


def test_another_is_queued_while_some_wait(project: Project, runs: list[Run], open_page: OpenPage) -> None:
    page = open_page("Train", project=project.folder.name, run="new")
    assert page.button(key="start").label == "Add to the queue"
    page.button(key="start").click().run()
    assert len(waiting()) == 4


def test_two_clicks_begin_one(project: Project, runs: list[Run]) -> None:
    first = training.begin(project)
    assert training.begin(project).id == first.id and len(list_runs(project.folder)) == 4


@pytest.mark.parametrize(("learned", "expected"), [(True, "finish"), (False, "stop")])
def test_stop_keeps_what_was_learned(project: Project, open_page: OpenPage, learned: bool, expected: str) -> None:
    run = create_run(project, RunSettings(plan="custom"))
    carried_by_this_process(run, ("phase", {"name": "train"}), *([epoch(1)] if learned else []))
    page = open_page("Train", project=project.folder.name, run=run.id)
    page.button(key=f"stop-{run.id}").click().run()
    assert control.requested(run.folder) == expected
    assert launch.read_state(run).alive


def test_compared(project: Project, open_page: OpenPage) -> None:
    runs = [create_run(project, RunSettings(plan="custom", epochs=epochs), name=f"run <{epochs}>") for epochs in (3, 5)]
    for run in runs:
        carried_by_this_process(run, epoch(1), epoch(2))
    page = open_page("Runs", project=project.folder.name)
    page.multiselect(key="compare").set_value([run.id for run in runs]).run()
    assert not page.exception and not page.error
    figures = [json.loads(chart.proto.spec) for chart in page.get("plotly_chart")]
    assert [len(figure["data"]) for figure in figures] == [4, 4, 2], "learning and checking of two runs, and their rates"
    assert all(figure["layout"]["uirevision"] for figure in figures)
    for figure in figures:
        assert sorted(trace["name"] for trace in figure["data"] if trace["showlegend"]) == ["run &lt;3&gt;", "run &lt;5&gt;"]
        assert {trace["line"]["color"] for trace in figure["data"]} == set(charts.COLOURS[:2])
    table = next(
        element.proto.body for element in page.get("html") if "ts-table" in element.proto.body and "Epochs" in element.proto.body
    )
    assert "run &lt;3&gt;" in table and "Batch size" not in table

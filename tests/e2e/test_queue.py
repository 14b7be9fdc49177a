"""The queue as somebody uses it: trainings queued, moved and cancelled, and done while no page is open."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from transfer_core.data.project import Project
from transfer_core.runs import launch, queue
from transfer_core.runs.events import EventReader
from transfer_core.runs.folder import Run, create_run, list_runs, read_state
from transfer_core.training.settings import RunSettings

if TYPE_CHECKING:
    from tests.e2e.conftest import App, Visitor

pytestmark = pytest.mark.browser

TRAINING = 120  # seconds


def draft(project: Project, **settings: Any) -> None:
    """Set the next training's settings, as the form does."""
    settings = {"plan": "custom", "freeze": "all", "epochs": 2, "augmentation": "none"} | settings
    (project.folder / "draft.json").write_text(json.dumps(settings), encoding="utf-8")


def begin(visitor: Visitor, project: Project, **settings: Any) -> Run:
    """Set up another training through the page, and begin or queue it."""
    draft(project, **settings)
    before = len(list_runs(project.folder))
    visitor.open("Train", project=project.folder.name, run="new")
    visitor.page.get_by_role("button", name="Add to the queue" if before else "Start training", exact=True).click()
    visitor.heading("Waiting for its turn" if before else "Training")
    return list_runs(project.folder)[0]


def waiting() -> list[str]:
    return [entry.folder.name for entry in queue.order()]


def started(run: Run) -> float:
    return next(event["time"] for event in EventReader(run.events_file).read() if event["event"] == "run_started")


def test_queued_moved_cancelled_and_done_with_the_page_closed(
    visitor: Visitor, visit: Callable[..., Visitor], app: App, shapes: Project, eventually: Callable[..., Any]
) -> None:
    first = begin(visitor, shapes, epochs=1000)
    second, third, fourth = (begin(visitor, shapes, seed=seed) for seed in (1, 2, 3))
    assert waiting() == [second.id, third.id, fourth.id]
    assert "3 trainings go first" in visitor.text()

    visitor.open("Runs", project=shapes.folder.name)
    visitor.page.get_by_role("heading", name="Queue").wait_for()
    assert "Processor: there is no graphics card" in visitor.text() and "of memory" in visitor.text()
    visitor.button("Up").last.click()
    eventually(lambda: waiting() == [second.id, fourth.id, third.id])
    other = visit()
    other.open("Runs", project=shapes.folder.name)
    other.button("Cancel").first.click()
    eventually(lambda: waiting() == [fourth.id, third.id])
    visitor.page.get_by_text("Waiting, place 2").wait_for()
    eventually(lambda: visitor.button("Cancel").count() == 2)

    for each in (visitor, other):
        each.page.close()
    app.stop()
    launch.stop(first)
    eventually(lambda: all(read_state(run).status == "finished" for run in (third, fourth)), TRAINING)
    app.start()
    assert started(fourth) < started(third) and read_state(second).status == "queued" and waiting() == []

    again = visit()
    again.open("Train", project=shapes.folder.name, run=third.id)
    again.button("10 more epochs").click()
    eventually(lambda: read_state(third).status == "finished" and third.planned_epochs == 12, TRAINING)
    assert [epoch["epoch"] for epoch in read_state(third).history.epochs] == list(range(1, 13))
    again.heading("Your model is ready")


def test_duplicated_with_changes(visitor: Visitor, shapes: Project, eventually: Callable[..., Any]) -> None:
    run = create_run(shapes, RunSettings(plan="custom", epochs=77, freeze="all"))
    visitor.open("Runs", project=shapes.folder.name)
    visitor.button("More").click()
    visitor.page.get_by_text("Duplicate with changes").click()
    visitor.heading("Train")
    eventually(lambda: visitor.page.get_by_label("Epochs").input_value() == "77")
    assert [each.id for each in list_runs(shapes.folder)] == [run.id], "nothing is made before it is begun"

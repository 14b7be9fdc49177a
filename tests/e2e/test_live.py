"""A training as it goes: curves, finish, stop, and that everybody sees the same thing whatever happens to tabs and servers."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from transfer_core.data.project import Project
from transfer_core.runs.folder import Run, list_runs
from transfer_core.runs.process import read_worker
from transfer_core.runs.state import read_state

if TYPE_CHECKING:
    from tests.e2e.conftest import App, Visitor

pytestmark = pytest.mark.browser

TRAINING = 120_000  # milliseconds
LONGEST_TICK = 0.25  # seconds
BUSY = 40.0  # percent of the processor, before the test begins: a time means nothing then
EPOCHS = 400  # more than any test waits for


def draft(project: Project, **settings: Any) -> None:
    """Set the next training's settings, as the form does."""
    settings = {"plan": "custom", "freeze": "all", "epochs": EPOCHS, "augment": False} | settings
    (project.folder / "draft.json").write_text(json.dumps(settings), encoding="utf-8")


def epochs_shown(visitor: Visitor) -> int:
    """How many epochs the curves have, told by what they say to screen readers."""
    label = visitor.page.get_by_test_id("stPlotlyChart").first.evaluate(
        "chart => (chart.closest('[aria-label]') || chart.querySelector('[aria-label]')).getAttribute('aria-label')"
    )
    return int(label.split("epoch ")[1].split(":")[0])


def begin(visitor: Visitor, project: Project) -> Run:
    """Start a training through the page, and wait for its first curves."""
    visitor.open("Train", project=project.folder.name)
    visitor.button("Start training").click()
    visitor.page.get_by_test_id("stPlotlyChart").first.wait_for(timeout=TRAINING)
    return list_runs(project.folder)[0]


def test_a_custom_training_from_its_form_to_its_end(
    visitor: Visitor, visit: Callable[..., Visitor], app: App, shapes: Project, eventually: Callable[..., Any]
) -> None:
    visitor.open("Train", project=shapes.folder.name)
    visitor.page.get_by_role("radio", name="Custom").click()
    visitor.page.get_by_label("Epochs").fill(str(EPOCHS))
    visitor.page.get_by_label("Epochs").press("Enter")
    visitor.page.get_by_role("slider").press("End")
    eventually(lambda: json.loads((shapes.folder / "draft.json").read_text()).get("freeze") == "all")
    visitor.page.get_by_text("The same from a terminal").click()
    visitor.page.get_by_text(f"--set epochs={EPOCHS}").wait_for()

    visitor.button("Start training").click()
    visitor.page.get_by_test_id("stPlotlyChart").first.wait_for(timeout=TRAINING)
    first = epochs_shown(visitor)
    eventually(lambda: epochs_shown(visitor) > first, 60)
    assert visitor.page.title().startswith("Training")
    assert "epoch" in visitor.text() and "pictures a second" in visitor.text()

    visitor.page.reload()
    visitor.heading("Training")
    visitor.page.get_by_test_id("stPlotlyChart").first.wait_for()
    assert epochs_shown(visitor) >= first

    other = visit()
    other.open("Train", project=shapes.folder.name)  # without naming the training: the one at work is shown
    other.heading("Training")
    other.page.get_by_test_id("stPlotlyChart").first.wait_for()
    third = visit()
    third.open("Data", project=shapes.folder.name)
    third.page.get_by_test_id("stSidebar").get_by_text("Watch").wait_for()
    assert third.page.title().startswith("Training")

    app.stop()
    app.start()
    visitor.page.reload()
    visitor.heading("Training")
    before = epochs_shown(visitor)
    eventually(lambda: epochs_shown(visitor) > before, 60)

    third.open("Data", project=shapes.folder.name)
    visitor.button("Finish now").click()
    visitor.heading("Your model is ready", TRAINING)
    assert visitor.page.title().startswith("Finished")
    third.page.wait_for_function("document.title.startsWith('Finished')")
    other.heading("Your model is ready")  # in the tab of a server that was restarted, and whose address named no training
    assert other.page.get_by_role("heading", level=1).count() == 1
    assert len(list_runs(shapes.folder)) == 1


def test_ticks_are_short_and_a_training_pauses_and_goes_on(
    visitor: Visitor, shapes: Project, eventually: Callable[..., Any]
) -> None:
    sent: list[float] = []
    answered: list[float] = []

    def listen(socket: Any) -> None:
        socket.on("framesent", lambda _frame: sent.append(time.monotonic()))
        socket.on("framereceived", lambda _frame: answered.append(time.monotonic()))

    busy = psutil.cpu_percent(1.0) > BUSY
    draft(shapes)
    visitor.page.on("websocket", listen)
    begin(visitor, shapes)
    sent.clear()
    answered.clear()
    visitor.page.wait_for_timeout(10_000)
    ticks = [
        max(within) - start for start, end in pairwise(sent) if (within := [when for when in answered if start < when < end])
    ]
    print(f"tick: median {1000 * statistics.median(ticks):.0f} ms, longest {1000 * max(ticks):.0f} ms, {len(ticks)} ticks")
    assert len(ticks) >= 5, "the page should draw itself about once a second"
    # A page that is slow is slow every time; a computer with others at work on it, such as another browser's tests, only now and then.
    if not busy:
        assert statistics.quantiles(ticks, n=4)[0] < LONGEST_TICK

    visitor.button("Pause").click()
    visitor.heading("Training is paused", TRAINING)
    assert visitor.page.title().startswith("Paused")
    assert read_state(list_runs(shapes.folder)[0]).status == "paused"
    stopped_after = epochs_shown(visitor)
    visitor.button("Resume").click()
    visitor.button("Finish now").wait_for(timeout=TRAINING)
    eventually(lambda: epochs_shown(visitor) > stopped_after, TRAINING / 1000)
    visitor.button("Stop").click()  # which keeps the best so far
    visitor.heading("Your model is ready", TRAINING)


def test_a_worker_that_died_is_said_and_resumed(visitor: Visitor, shapes: Project) -> None:
    draft(shapes)
    run = begin(visitor, shapes)
    worker = read_worker(run.folder)
    assert worker
    psutil.Process(worker.pid).kill()
    visitor.heading("Training was interrupted")
    assert "ended without a word" in visitor.text()
    visitor.open("Runs", project=shapes.folder.name)
    assert "ended without a word" in visitor.text()
    visitor.button("Resume").click()
    visitor.button("Finish now").click(timeout=TRAINING)
    visitor.heading("Your model is ready", TRAINING)
    assert read_state(run).status == "finished"

"""How long runs and the queue still take: by their own speed, by others like them, and never by a guess."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from transfer_core.data.project import Project
from transfer_core.files import write_json
from transfer_core.runs.events import History
from transfer_core.runs.folder import Run, create_run
from transfer_core.runs.state import RunState
from transfer_core.runs.time_left import queue_left, run_left, usual_seconds
from transfer_core.training.settings import RunSettings


@pytest.fixture
def took(project: Project) -> Callable[..., Run]:
    """A finished run that took so long."""

    def make(total: float, train: float = 0.0, **settings: Any) -> Run:
        run = create_run(project, RunSettings(**settings))
        write_json(run.report_file, {"seconds": {"total": total, "train": train}})
        return run

    return make


def at_work(phase: str, began: float, eta: float | None = None) -> RunState:
    history = History()
    history.add([{"event": "run_started", "time": began}, {"event": "phase", "time": began, "name": phase}])
    history.add([{"event": "progress", "time": began, "done": 1, "total": 2, "eta_seconds": eta}])
    return RunState("running", None, history, alive=True)


WAITING = RunState("queued", None, History(), alive=False)


def test_not_known_without_a_run_like_it(project: Project, took: Callable[..., Run]) -> None:
    took(50, plan="quick", backbone="resnet18")
    took(50, plan="quick", device="cuda")
    run = create_run(project, RunSettings(plan="quick"))
    assert usual_seconds(run) is None and run_left(run, WAITING) is None
    took(20, plan="quick")
    took(30, plan="quick")
    assert usual_seconds(run) == 30, "the newest"


def test_by_the_number_of_epochs(project: Project, took: Callable[..., Run]) -> None:
    before = took(30, train=20, plan="custom", epochs=10)
    run = create_run(project, RunSettings(plan="custom", epochs=40))
    assert usual_seconds(run) == 10 + 4 * 20
    assert usual_seconds(run, epochs_done=35) == 10 + 0.5 * 20
    assert usual_seconds(create_run(project, RunSettings(plan="custom", epochs=40, freeze="none"))) is None
    write_json(run.folder / "extensions.json", {"schema": 1, "epochs": [10], "requests": ["a"]})
    assert usual_seconds(run, epochs_done=40) == 10 + 20
    write_json(before.folder / "extensions.json", {"schema": 1, "epochs": [5], "requests": ["a"]})
    assert usual_seconds(run, epochs_done=40) == 10 + 2 * 20, "its last report is of its last five epochs"


def test_at_work_by_its_own_speed_in_its_longest_phase(project: Project, took: Callable[..., Run]) -> None:
    took(100, plan="quick")
    run, now = create_run(project, RunSettings(plan="quick")), time.time()
    assert run_left(run, at_work("train", now - 10, eta=7), now) == 7
    assert run_left(run, at_work("decode", now - 10, eta=7), now) == 90
    assert run_left(run, at_work("decode", now - 99, eta=7), now) == 7
    assert run_left(run, at_work("decode", now - 500), now) == 0


def test_the_queue_by_device() -> None:
    assert queue_left([]) == 0
    assert queue_left([("cpu", 5), ("cpu", 7), ("cuda", 10)]) == 12
    assert queue_left([("cpu", 5), ("cuda", 30)]) == 30
    assert queue_left([("cpu", 5), ("cpu", None)]) is None


def test_best_has_another_training_before_it(project: Project) -> None:
    run = create_run(project, RunSettings(plan="best"))
    tail, full = at_work("tail", time.time(), eta=10.0), at_work("full", time.time(), eta=10.0)
    assert run_left(run, tail) == 10.0, "not measured yet"
    write_json(run.folder / "choices.json", {"full_seconds": 30.0})
    assert (run_left(run, tail), run_left(run, full)) == (40.0, 10.0)
    for damaged in ("", "[]", '{"full_seconds": "soon"}'):
        (run.folder / "choices.json").write_text(damaged, encoding="utf-8")
        assert run_left(run, tail) == 10.0

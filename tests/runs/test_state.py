from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable

import psutil
import pytest

from transfer_core.processes import lives
from transfer_core.runs.events import EventWriter
from transfer_core.runs.folder import Run
from transfer_core.runs.process import FILE, is_alive
from transfer_core.runs.state import RunReader, read_state

FINAL = {"run_stopped": "stopped", "run_paused": "paused", "run_finished": "finished", "run_failed": "failed"}


def carried_by(run: Run, alive: bool, began: float | None = None) -> None:
    """Let the run's process be this one, or one that has ended."""
    create_time = psutil.Process().create_time() - (0 if alive else 100)
    data = {"pid": os.getpid(), "create_time": create_time, "began": began or time.time() - 10}
    (run.folder / FILE).write_text(json.dumps(data))


def tell(run: Run, name: str, **fields: object) -> None:
    with EventWriter(run.events_file) as events:
        events.write(name, **fields)


def test_states_of_a_run_that_lives(make_run: Callable[..., Run]) -> None:
    run = make_run()
    assert read_state(run).status == "queued"
    carried_by(run, alive=True)
    assert read_state(run).status == "starting"
    tell(run, "run_started")
    assert read_state(run).status == "running"
    tell(run, "epoch", step=1)
    state = read_state(run)
    assert state.status == "running" and state.alive and not state.ended and not state.resumable


@pytest.mark.parametrize("last", [None, "run_started", "epoch"])
def test_a_run_whose_process_is_gone_died(make_run: Callable[..., Run], last: str | None) -> None:
    run = make_run()
    if last:
        tell(run, last)
    carried_by(run, alive=False)
    state = read_state(run)
    assert state.status == "died" and state.resumable
    assert state.error and state.error.code == "died" and run.id in (state.error.fix or "")


@pytest.mark.parametrize("name", FINAL)
@pytest.mark.parametrize("alive", [True, False])
def test_the_last_word_counts(make_run: Callable[..., Run], name: str, alive: bool) -> None:
    run = make_run()
    carried_by(run, alive=alive)
    tell(run, name, error={"code": "x", "message": "No.", "file": None, "fix": None})
    state = read_state(run)
    assert state.status == FINAL[name]
    assert (state.error is not None) == (name == "run_failed")


@pytest.mark.parametrize("alive", [True, False])
def test_a_process_younger_than_the_last_word_resumes(make_run: Callable[..., Run], alive: bool) -> None:
    run = make_run()
    tell(run, "run_stopped")
    carried_by(run, alive=alive, began=time.time() + 1)
    assert read_state(run).status == ("starting" if alive else "died")


def test_a_reader_that_is_kept_reads_only_what_is_new(make_run: Callable[..., Run]) -> None:
    run = make_run()
    reader = RunReader(run)
    assert read_state(run, reader).history.last["event"] == "run_queued"  # type: ignore[index]
    for step in range(200):
        tell(run, "epoch", step=step)
    state = read_state(run, reader)
    assert len(state.history.epochs) == 200
    assert read_state(run, reader).history is state.history
    start = time.perf_counter()
    for _ in range(100):
        read_state(run, reader)
    assert (time.perf_counter() - start) / 100 < 0.01


def test_a_shortened_file_starts_the_history_again(make_run: Callable[..., Run]) -> None:
    run = make_run()
    reader = RunReader(run)
    tell(run, "epoch", step=1)
    reader.read()
    lines = run.events_file.read_bytes().splitlines(keepends=True)
    run.events_file.write_bytes(lines[0])
    reader.read()
    tell(run, "epoch", step=1)
    reader.read()
    assert len(reader.history.epochs) == 1


def test_a_zombie_does_not_live() -> None:
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    create_time = psutil.Process(child.pid).create_time()
    deadline = time.monotonic() + 10
    while psutil.Process(child.pid).status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not lives(child.pid, create_time)
    child.wait()
    assert not lives(child.pid, create_time)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"pid": "x"}', '{"pid": -1, "create_time": 0, "began": 0}', '{"pid": 1e30}'])
def test_a_broken_worker_file_means_no_process(make_run: Callable[..., Run], text: str) -> None:
    run = make_run()
    (run.folder / FILE).write_text(text)
    assert not is_alive(run)

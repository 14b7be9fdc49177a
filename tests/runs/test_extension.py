"""More epochs for a finished run: asked once, taken once, whatever is killed in between."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable

import pytest

from transfer_core.errors import TransferError
from transfer_core.files import write_json
from transfer_core.runs import dispatcher, extension, launch, queue
from transfer_core.runs.folder import Run, create_run, read_state
from transfer_core.runs.process import is_alive, read_worker
from transfer_core.training.settings import RunSettings

MakeRun = Callable[..., Run]


def finished(make_run: MakeRun, epochs: int = 2) -> Run:
    run = make_run(epochs=epochs)
    launch.start(run)
    end(run)
    return run


def end(run: Run) -> str:
    """How the run ends, its process gone."""
    state = launch.follow(run, lambda event: None, poll=0.02)
    deadline = time.monotonic() + 10
    while is_alive(run) and time.monotonic() < deadline:
        time.sleep(0.01)
    return state.status


def steps(run: Run) -> list[int]:
    return [event["step"] for event in read_state(run).history.epochs]


def test_more_epochs_and_more_again(make_run: MakeRun) -> None:
    run = finished(make_run)
    launch.extend(run, 3)
    assert end(run) == "finished" and steps(run) == [1, 2, 3, 4, 5]
    assert run.planned_epochs == 5 and not run.reopened()
    launch.extend(run, 1)
    assert end(run) == "finished" and steps(run) == [1, 2, 3, 4, 5, 6]
    assert extension.taken(run.folder) == ((3, 2), (1, 5))
    report = run.report()
    assert report and report["steps"] == 6 and report["resumed"]


def test_killed_and_resumed_it_is_added_once(make_run: MakeRun) -> None:
    run = finished(make_run)
    launch.extend(run, 20)
    deadline = time.monotonic() + 20
    while len(steps(run)) < 6 and time.monotonic() < deadline:
        time.sleep(0.01)
    worker = read_worker(run.folder)
    assert worker
    os.kill(worker.pid, signal.SIGKILL)
    assert end(run) == "died"
    launch.resume(run)
    assert end(run) == "finished", read_state(run).error
    assert steps(run) == list(range(1, 23))


def test_killed_between_the_two_files(make_run: MakeRun) -> None:
    """Written down and still asked: the request is told by its name from a new one for as many."""
    run = finished(make_run)
    extension.ask(run, 5)
    request = run.folder / "control" / "extend"
    before = request.read_bytes()
    assert extension.take(run.folder) == ((5, 2),)
    request.write_bytes(before)
    assert extension.asked(run.folder) == 0
    assert extension.take(run.folder) == ((5, 2),) and not request.exists()
    extension.ask(run, 5)
    assert extension.take(run.folder) == ((5, 2), (5, 2))


def test_killed_before_it_was_taken(make_run: MakeRun) -> None:
    """The run was told to go on, and no more: the request still waits for the next process."""
    run = finished(make_run)
    extension.ask(run, 2)
    with run.events_file.open("a") as file:
        file.write(json.dumps({"time": time.time() + 1, "event": "run_resumed", "from_step": 2}) + "\n")
    assert read_state(run).status == "died"
    launch.resume(run)
    assert end(run) == "finished" and steps(run) == [1, 2, 3, 4]


def test_the_last_number_counts_until_it_begins(make_run: MakeRun) -> None:
    run = finished(make_run)
    extension.ask(run, 100)
    extension.ask(run, 1)
    assert extension.asked(run.folder) == 1 and run.reopened()
    extension.withdraw(run.folder)
    extension.withdraw(run.folder)
    assert extension.asked(run.folder) == 0 and not run.reopened()


def test_a_turn_for_more_epochs(make_run: MakeRun) -> None:
    run = finished(make_run)
    with pytest.raises(TransferError, match="finished"):
        queue.add(run)
    extension.ask(run, 2)
    queue.add(run)
    queue.cancel(run)
    assert not run.reopened(), "what is cancelled must not come with another wish"
    extension.ask(run, 2)
    dispatcher.submit(run)
    assert end(run) == "finished" and steps(run) == [1, 2, 3, 4]


def test_what_can_not_be_extended(make_run: MakeRun, project: object) -> None:
    run = make_run()
    with pytest.raises(TransferError) as caught:
        launch.extend(run, 10)
    assert caught.value.code == "not-finished"
    launch.start(run)
    end(run)
    for count in (0, -1, 1001):
        with pytest.raises(TransferError) as caught:
            launch.extend(run, count)
        assert caught.value.code == "settings"
    quick = create_run(project, RunSettings())  # type: ignore[arg-type]
    with pytest.raises(TransferError) as caught:
        launch.extend(quick, 10)
    assert caught.value.code == "not-extendable"


@pytest.mark.parametrize("data", [[], {}, {"epochs": 3}, {"schema": 99, "id": "a", "epochs": 3}])
def test_a_damaged_request_is_told(make_run: MakeRun, data: object) -> None:
    run = make_run()
    write_json(run.folder / "control" / "extend", data)
    with pytest.raises(TransferError) as caught:
        run.reopened()
    assert caught.value.code == "broken-extension"

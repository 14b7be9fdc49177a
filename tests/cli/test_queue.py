"""The queue from a terminal: trainings that wait, are moved, cancelled, paused and trained on."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from transfer_core.cli import main
from transfer_core.data.project import Project
from transfer_core.runs import control, queue
from transfer_core.runs.folder import Run, find_run, list_runs, read_state
from transfer_core.runs.process import is_alive

Command = Callable[..., subprocess.Popen[str]]
Answer = Callable[..., tuple[int, Any]]
CUSTOM = ("--plan", "custom", "--backbone", "fake")


@pytest.fixture(autouse=True)
def none_left(pictures: Path) -> Iterator[None]:
    yield
    for entry in queue.order():
        queue.cancel(Run(entry.folder))
    for run in list_runs(Project.for_source(pictures).folder):
        if is_alive(run):
            control.request(run, "stop")


def done(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def queued(command: Command, pictures: Path, epochs: int) -> Run:
    code, out, _ = done(command("train", pictures, *CUSTOM, "--set", f"epochs={epochs}", "--queue", "--json"))
    assert code == 0
    return find_run(json.loads(out)["id"])


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 40
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_queued_moved_cancelled_and_done_with_nobody_watching(command: Command, pictures: Path, answer: Answer) -> None:
    first = queued(command, pictures, 1000)
    code, out, _ = done(command("train", pictures, *CUSTOM, "--set", "epochs=1", "--queue"))
    assert code == 0 and "waits at place 1" in out
    second = find_run(out.split()[1])
    third, fourth = queued(command, pictures, 1), queued(command, pictures, 1)
    assert answer("runs", "move", fourth.id, "1") == (0, {"queue": [fourth.id, second.id, third.id]})
    assert answer("runs", "cancel", third.id) == (0, {"queue": [fourth.id, second.id]})
    assert answer("runs", "cancel", third.id)[1]["error"]["code"] == "not-queued"
    places = {run["id"]: run["place"] for run in answer("runs", "list")[1]["runs"]}
    assert places == {first.id: None, fourth.id: 1, second.id: 2, third.id: None}
    done(command("runs", "stop", first.id))
    until(lambda: all(read_state(run).status == "finished" for run in (second, fourth)))
    assert read_state(third).status == "queued"


def test_in_words(command: Command, pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    queued(command, pictures, 1000)
    second = queued(command, pictures, 1)
    capsys.readouterr()
    assert main(["runs", "list"]) == main(["runs", "show", second.id]) == 0
    assert capsys.readouterr().out.count("waits at place 1") == 2
    assert main(["runs", "move", second.id, "9"]) == 0 and capsys.readouterr().out.startswith(f"1  {second.id}  fake")
    assert main(["runs", "cancel", second.id]) == 0
    assert capsys.readouterr().err.strip() == "Nothing waits in the queue."


def test_train_waits_for_its_turn_and_is_watched(command: Command, pictures: Path) -> None:
    first = queued(command, pictures, 1000)
    process = command("train", pictures, *CUSTOM, "--set", "epochs=2", "--json")
    until(lambda: len(queue.order()) == 1)
    done(command("runs", "stop", first.id))
    code, out, err = done(process)
    assert code == 0 and json.loads(out)["steps"] == 2 and "waits for its turn at place 1" in err


@pytest.mark.parametrize("how", ["ctrl-c", "elsewhere"])
def test_cancelled_while_it_is_watched(command: Command, pictures: Path, how: str) -> None:
    queued(command, pictures, 1000)
    process = command("train", pictures, *CUSTOM, "--json")
    assert process.stderr
    assert any("waits for its turn" in line for line in process.stderr)
    (entry,) = queue.order()
    process.send_signal(signal.SIGINT) if how == "ctrl-c" else queue.cancel(Run(entry.folder))
    code, out, _ = done(process)
    assert code == 2 and json.loads(out)["error"]["code"] == "cancelled"
    assert queue.order() == [] and read_state(Run(entry.folder)).status == "queued"


def test_paused_resumed_and_trained_on(command: Command, pictures: Path) -> None:
    run = queued(command, pictures, 60)
    code, out, _ = done(command("runs", "pause", run.id, "--json"))
    assert code == 0 and json.loads(out)["status"] == "paused"
    code, out, _ = done(command("runs", "resume", run.id, "--json"))
    assert code == 0 and json.loads(out)["steps"] == 60
    code, out, err = done(command("runs", "extend", run.id, "--epochs", "3", "--json"))
    assert code == 0 and json.loads(out)["steps"] == 63 and "Resumed after step 60" in err
    code, out, _ = done(command("runs", "extend", run.id, "--epochs", "0", "--json"))
    assert code == 2 and json.loads(out)["error"]["code"] == "settings"


def test_watching_a_run_that_is_paused_elsewhere(command: Command, pictures: Path) -> None:
    process = command("train", pictures, *CUSTOM, "--set", "epochs=1000", "--json")
    project = Project.for_source(pictures)
    until(lambda: any(is_alive(run) for run in list_runs(project.folder)))
    (run,) = list_runs(project.folder)
    done(command("runs", "pause", run.id))
    code, out, _ = done(process)
    assert code == 2 and json.loads(out)["error"]["code"] == "paused"

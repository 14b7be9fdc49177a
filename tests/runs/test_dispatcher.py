"""Turns given by real processes, which are started several times at once and killed at any time: no run is lost, and none runs twice."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from transfer_core.data.project import Project
from transfer_core.errors import RunError
from transfer_core.processes import child_environment
from transfer_core.runs import dispatcher, launch, queue
from transfer_core.runs.events import EventReader
from transfer_core.runs.folder import Run, create_run, read_state
from transfer_core.runs.process import is_alive, read_worker
from transfer_core.training.settings import RunSettings

MakeRun = Callable[..., Run]
FAKE = [sys.executable, str(Path(__file__).with_name("fake_dispatcher.py"))]


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch, own_home: Path) -> Iterator[None]:
    """Dispatchers whose runs are stand-ins; none of them outlives its test."""
    monkeypatch.setattr(dispatcher, "command", lambda: FAKE)
    yield
    for process in psutil.process_iter(["cmdline"]):
        if (process.info["cmdline"] or [])[: len(FAKE)] == FAKE and process_home(process) == str(own_home):
            process.kill()


def process_home(process: psutil.Process) -> str | None:
    try:
        return process.environ().get("TRANSFER_STUDIO_HOME")
    except psutil.Error:
        return None


def begin_dispatcher(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([*FAKE, *arguments], env=child_environment(), stderr=subprocess.DEVNULL)


def until(condition: Callable[[], bool], patience: float = 60) -> None:
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def all_done(runs: list[Run]) -> bool:
    return all(read_state(run).status == "finished" for run in runs)


def assert_each_ran_once_and_alone(runs: list[Run]) -> None:
    """By what they told: one process each, its epochs once, and no two at the same time."""
    spans = []
    for run in runs:
        events = EventReader(run.events_file).read()
        names = [event["event"] for event in events]
        assert names.count("run_started") == names.count("run_finished") == 1 and "run_resumed" not in names
        assert [event["step"] for event in events if event["event"] == "epoch"] == list(range(1, run.settings.epochs + 1))
        spans.append((events[names.index("run_started")]["time"], events[-1]["time"]))
    spans.sort()
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))


def test_at_once_where_nothing_is_at_work_and_else_in_turn(make_run: MakeRun) -> None:
    runs = [make_run(epochs=6) for _ in range(3)]
    dispatcher.submit(runs[0])
    assert is_alive(runs[0]) and not queue.order()
    dispatcher.submit(runs[1])
    dispatcher.submit(runs[2], first=True)
    assert [entry.folder for entry in queue.order()] == [runs[2].folder, runs[1].folder]
    until(lambda: all_done(runs))
    assert_each_ran_once_and_alone(runs)
    began = [EventReader(run.events_file).read()[1]["time"] for run in runs]
    assert began[0] < began[2] < began[1]


def test_each_device_has_a_run_at_work(make_run: MakeRun, project: Project) -> None:
    card = [create_run(project, RunSettings(plan="custom", backbone="fake", epochs=1000, device="cuda")) for _ in range(2)]
    dispatcher.submit(make_run(epochs=1000))
    for run in card:
        dispatcher.submit(run)
    assert {entry.device for entry in queue.at_work()} == {"cpu", "cuda"}
    assert [entry.folder for entry in queue.order()] == [card[1].folder]
    queue.cancel(card[1])
    launch.stop(card[0])
    until(lambda: not is_alive(card[0]))


def test_nobody_stays_when_none_waits(make_run: MakeRun) -> None:
    dispatcher.ensure_dispatcher()
    run = make_run(epochs=1)
    queue.add(run)
    process = begin_dispatcher()
    assert process.wait(30) == 0 and not queue.order()
    until(lambda: all_done([run]))


def test_six_dispatchers_at_once(make_run: MakeRun) -> None:
    runs = [make_run(epochs=2) for _ in range(4)]
    for run in runs:
        queue.add(run)
    processes = [begin_dispatcher() for _ in range(6)]
    assert all(process.wait(60) == 0 for process in processes)
    until(lambda: all_done(runs))
    assert_each_ran_once_and_alone(runs)


@pytest.mark.parametrize("steps", [1, 3, *(pytest.param(steps, marks=pytest.mark.slow) for steps in (2, 4, 5))])
def test_killed_between_any_two_steps(make_run: MakeRun, steps: int) -> None:
    """Marked as begun, process started, its life seen: at each of these a turn could be lost or given twice."""
    runs = [make_run(epochs=3) for _ in range(3)]
    for run in runs:
        queue.add(run)
    assert begin_dispatcher("--kill-after", str(steps)).wait(60) == -signal.SIGKILL
    second = begin_dispatcher("--kill-after", str(steps))
    assert second.wait(60) in (0, -signal.SIGKILL)
    dispatcher.ensure_dispatcher()
    until(lambda: all_done(runs))
    assert_each_ran_once_and_alone(runs)


@pytest.mark.parametrize("steps", [1, 2])
def test_the_last_turn_is_not_lost_with_its_starter(make_run: MakeRun, steps: int) -> None:
    """Nothing waits any more, and nothing is at work: only the mark says that a run is to be carried."""
    run = make_run(epochs=2)
    queue.add(run)
    assert begin_dispatcher("--kill-after", str(steps)).wait(60) == -signal.SIGKILL
    assert queue.order() == []
    dispatcher.ensure_dispatcher()
    until(lambda: all_done([run]))
    assert_each_ran_once_and_alone([run])
    until(lambda: not queue.stranded())


@pytest.mark.slow
def test_killed_at_odd_moments(make_run: MakeRun) -> None:
    runs = [make_run(epochs=3) for _ in range(4)]
    for run in runs:
        queue.add(run)
    for moment in (0.15, 0.3, 0.45, 0.6, 0.8):
        process = begin_dispatcher()
        time.sleep(moment)
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
        process.wait()
    begin_dispatcher().wait(60)
    until(lambda: all_done(runs))
    assert_each_ran_once_and_alone(runs)


def test_a_turn_is_over_when_its_run_stops_or_is_killed(make_run: MakeRun) -> None:
    runs = [make_run(epochs=1000), make_run(epochs=1000), make_run(epochs=2)]
    for run in runs:
        dispatcher.submit(run)
    launch.stop(runs[0])
    until(lambda: is_alive(runs[1]))
    (entry,) = queue.at_work()
    assert entry.folder == runs[1].folder
    worker = read_worker(runs[1].folder)
    assert worker
    os.kill(worker.pid, signal.SIGKILL)
    until(lambda: all_done(runs[2:]))
    assert [read_state(run).status for run in runs] == ["stopped", "died", "finished"]


def test_one_that_does_not_come_up_is_told_and_does_not_block(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    broken, whole = make_run(), make_run(epochs=1)
    usual = launch.worker_command
    no = [sys.executable, "-c", "raise SystemExit('no')"]
    monkeypatch.setattr(launch, "worker_command", lambda run: no if run.folder == broken.folder else usual(run))
    with pytest.raises(RunError) as caught:
        dispatcher.submit(broken)
    assert caught.value.code == "not-started" and read_state(broken).status == "failed"
    dispatcher.submit(whole)
    until(lambda: all_done([whole]))


def test_one_that_can_only_say_that_it_failed_is_not_tried_for_ever(make_run: MakeRun) -> None:
    run = make_run()
    (run.folder / "worker.json").mkdir()  # as on a full disk, it can't be written
    dispatcher.submit(run)
    until(lambda: read_state(run).status == "failed")
    assert dispatcher.start_due() == {} and queue._read() == []
    assert run.events_file.read_text().count("run_failed") == 1


def test_the_real_process_of_the_dispatcher(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """The module as it is started, with the real worker: it gives the turn, and the run says why it can't be done."""
    monkeypatch.undo()
    run = make_run("no-such-backbone")
    queue.add(run)
    dispatcher.ensure_dispatcher()
    until(lambda: read_state(run).status == "failed")
    assert not queue.order()

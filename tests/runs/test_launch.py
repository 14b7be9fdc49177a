"""Runs as they are: processes that are started, killed, asked to stop and resumed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from transfer_core.data.project import Project
from transfer_core.errors import RunError
from transfer_core.processes import child_environment
from transfer_core.runs import control, launch
from transfer_core.runs.events import RESERVE, Event, History
from transfer_core.runs.folder import Run, create_run, read_state
from transfer_core.runs.process import is_alive, read_worker
from transfer_core.runs.state import RunReader, RunState
from transfer_core.training.settings import RunSettings

MakeRun = Callable[..., Run]
LONG = 1000


def wait_for(run: Run, event: str, count: int = 1) -> None:
    reader = RunReader(run)
    deadline = time.monotonic() + 30
    seen = 0
    while seen < count:
        assert time.monotonic() < deadline, run.log_file.read_text()
        seen += sum(new["event"] == event for new in reader.read())
        time.sleep(0.01)


def follow(run: Run) -> tuple[RunState, list[Event]]:
    events: list[Event] = []
    return launch.follow(run, events.append, poll=0.02), events


def begun(make_run: MakeRun, what: str = "fake", epochs: int = LONG) -> Run:
    run = make_run(what, epochs)
    launch.start(run)
    wait_for(run, "epoch", 3)
    return run


def pid_of(run: Run) -> int:
    worker = read_worker(run.folder)
    assert worker is not None
    return worker.pid


def code(caught: pytest.ExceptionInfo[RunError]) -> str:
    return caught.value.code


def test_a_run_from_start_to_end(make_run: MakeRun) -> None:
    run = make_run()
    launch.start(run)
    assert is_alive(run) and read_state(run).status in ("starting", "running")
    state, events = follow(run)
    assert [event["event"] for event in events] == ["run_queued", "run_started", "phase", *["epoch"] * 4, "run_finished"]
    assert state.status == "finished" and state.error is None
    assert state.history.report == run.report()
    told = {"run": str(run.folder), "model": str(run.model_folder), "steps": 4, "resumed": False}
    assert told.items() <= run.report().items()  # type: ignore[union-attr]


def test_its_process_is_in_a_session_of_its_own_and_leaves_no_zombie(make_run: MakeRun) -> None:
    run = begun(make_run)
    pid = pid_of(run)
    assert os.getsid(pid) == pid != os.getsid(0)
    os.kill(pid, signal.SIGHUP)  # the terminal is closed
    wait_for(run, "epoch", 5)
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while psutil.pid_exists(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not psutil.pid_exists(pid)


def test_killed_and_resumed(make_run: MakeRun) -> None:
    run = begun(make_run, epochs=8)
    os.kill(pid_of(run), signal.SIGKILL)
    state, _ = follow(run)
    assert state.status == "died" and state.error and state.error.code == "died"
    with run.events_file.open("ab") as file:
        file.write(b'{"time": 1, "event": "epo')
    launch.resume(run)
    state, events = follow(run)
    assert state.status == "finished" and run.report()["resumed"]  # type: ignore[index]
    resumed = next(event for event in events if event["event"] == "run_resumed")
    assert resumed["from_step"] >= 2 and resumed["from_step"] % 2 == 0
    assert [event["step"] for event in state.history.epochs] == list(range(1, 9))


def test_stopped_and_resumed(make_run: MakeRun) -> None:
    run = begun(make_run, epochs=8)
    launch.stop(run)
    assert follow(run)[0].status == "stopped"
    launch.resume(run)
    assert read_state(run).status in ("starting", "running")
    assert follow(run)[0].status == "finished"


def test_paused_its_process_is_gone_and_resumed_it_goes_on(make_run: MakeRun) -> None:
    run = begun(make_run, epochs=8)
    pid = pid_of(run)
    launch.pause(run)
    state, events = follow(run)
    assert state.status == "paused" and state.resumable != state.alive and events[-1]["event"] == "run_paused"
    deadline = time.monotonic() + 10
    while psutil.pid_exists(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not psutil.pid_exists(pid), "memory and device are free"
    launch.resume(run)
    state, _ = follow(run)
    assert state.status == "finished" and [event["step"] for event in state.history.epochs] == list(range(1, 9))


def test_stop_comes_before_pause(make_run: MakeRun) -> None:
    run = make_run(epochs=LONG)
    for what in control.REQUESTS:
        control.request(run, what)
    launch.start(run)
    assert follow(run)[0].status == "stopped"
    control.clear(run.folder)
    assert control.requested(run.folder) is None


def test_stop_keeps_what_was_learned(make_run: MakeRun) -> None:
    run = begun(make_run)
    launch.stop_and_keep(run)
    state, _ = follow(run)
    assert state.status == "finished" and run.report()["steps"] >= 3  # type: ignore[index]


def test_stop_with_nothing_learned_yet_only_stops(make_run: MakeRun) -> None:
    run = make_run("fake-slow", epochs=LONG)
    launch.start(run)
    wait_for(run, "phase")
    launch.stop_and_keep(run)
    assert follow(run)[0].status == "stopped"


def test_the_quick_model_of_better_is_something_learned(project: Project) -> None:
    """From the moment its head is fitted, long before the first epoch; a custom run has nothing before that."""
    for plan, phases, learned in [
        ("better", ["features", "head"], False),
        ("better", ["features", "head", "boundary"], True),
        ("best", ["head", "full"], True),
        ("custom", ["decode", "train"], False),
    ]:
        run = create_run(project, RunSettings.check({"plan": plan}))
        state = replace(read_state(run), history=History(phases=dict.fromkeys(phases, 0.0)))
        assert launch.has_learned(run, state) is learned


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_a_request_to_stop(make_run: MakeRun, number: signal.Signals) -> None:
    run = begun(make_run)
    os.kill(pid_of(run), number)
    assert follow(run)[0].status == "stopped"


def test_finish_makes_a_model_of_what_there_is(make_run: MakeRun) -> None:
    run = begun(make_run)
    launch.finish(run)
    state, _ = follow(run)
    assert state.status == "finished" and run.report()["steps"] >= 3  # type: ignore[index]


def test_asked_to_stop_before_it_began(make_run: MakeRun) -> None:
    run = make_run(epochs=LONG)
    control.request(run, "stop")
    launch.start(run)
    state, events = follow(run)
    assert state.status == "stopped" and "phase" not in [event["event"] for event in events]


def test_what_can_not_be_asked(make_run: MakeRun) -> None:
    run = make_run(epochs=2)
    for ask in (launch.stop, launch.finish, launch.pause, launch.stop_and_keep):
        with pytest.raises(RunError) as caught:
            ask(run)
        assert code(caught) == "not-running"
    launch.start(run)
    for begin in (launch.start, launch.resume):
        with pytest.raises(RunError) as caught:
            begin(run)
        assert code(caught) == "already-running"
    follow(run)
    with pytest.raises(RunError) as caught:
        launch.resume(run)
    assert code(caught) == "already-finished"
    with pytest.raises(RunError) as caught:
        launch.stop(run)
    assert code(caught) == "not-running"


def test_a_stopped_run_is_resumed_and_not_started(make_run: MakeRun) -> None:
    run = begun(make_run)
    launch.stop(run)
    follow(run)
    deadline = time.monotonic() + 10
    while is_alive(run) and time.monotonic() < deadline:
        time.sleep(0.01)
    with pytest.raises(RunError) as caught:
        launch.start(run)
    assert code(caught) == "already-begun"


def test_a_second_process_makes_way(make_run: MakeRun) -> None:
    run = begun(make_run)
    second = subprocess.run(launch.worker_command(run), env=child_environment(), capture_output=True, text=True, timeout=60)
    assert second.returncode == 2 and "makes way" in second.stderr
    assert read_state(run).status == "running"
    launch.stop(run)
    _, events = follow(run)
    assert [event["event"] for event in events].count("run_started") == 1


def test_started_twice_at_once_runs_once(make_run: MakeRun) -> None:
    run = make_run(epochs=6)
    refusals: list[str] = []

    def start() -> None:
        try:
            launch.start(run)
        except RunError as error:
            refusals.append(error.code)

    threads = [threading.Thread(target=start) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    state, events = follow(run)
    assert state.status == "finished"
    assert [event["step"] for event in events if event["event"] == "epoch"] == list(range(1, 7))
    assert set(refusals) <= {"already-running", "already-begun"}


def test_what_a_dead_process_left_behind_does_not_block(make_run: MakeRun) -> None:
    run = make_run(epochs=2)
    hold = "import filelock, sys, time; filelock.FileLock(sys.argv[1]).acquire(); print(1, flush=True); time.sleep(1.5)"
    holder = subprocess.Popen([sys.executable, "-c", hold, str(run.lock_file)], stdout=subprocess.PIPE)
    assert holder.stdout and holder.stdout.read(1) == b"1"
    launch.start(run)
    assert follow(run)[0].status == "finished"
    holder.communicate()


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("fake-refused", "wrong-weights"),
        ("fake-crash", "internal"),
        ("fake-memory", "internal"),
        ("fake-exit", "internal"),
        ("fake-disk", "disk-full"),
        ("fake-full-table", "disk-full"),
    ],
)
def test_a_failure_is_told_and_its_traceback_logged(make_run: MakeRun, what: str, expected: str) -> None:
    run = make_run(what)
    launch.start(run)
    state, _ = follow(run)
    assert state.status == "failed" and state.error and state.error.code == expected
    assert "Traceback" not in str(state.error) and state.error.message and state.error.fix
    log = run.log_file.read_text()
    deadline = time.monotonic() + 10
    while "Traceback" not in log and time.monotonic() < deadline:
        log = run.log_file.read_text()
    assert "Traceback" in log
    assert state.resumable or state.alive


def test_a_project_that_is_gone(make_run: MakeRun) -> None:
    run = make_run()
    (run.project_folder / "project.toml").unlink()
    launch.start(run)
    assert follow(run)[0].error.code == "not-a-project"  # type: ignore[union-attr]


def test_a_process_that_just_ends_died(make_run: MakeRun) -> None:
    run = make_run("fake-gone")
    launch.start(run)
    assert follow(run)[0].status == "died"


def test_a_process_that_does_not_come_up(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run()
    monkeypatch.setattr(launch, "worker_command", lambda run: [sys.executable, "-c", "raise SystemExit('no')"])
    with pytest.raises(RunError) as caught:
        launch.start(run)
    assert code(caught) == "not-started" and "no" in run.log_file.read_text()
    assert read_state(run).status == "queued"


def test_a_process_that_can_not_even_say_that_it_lives(make_run: MakeRun) -> None:
    run = make_run()
    (run.folder / "worker.json").mkdir()  # as on a full disk, it can't be written
    launch.start(run)
    state, _ = follow(run)
    assert state.status == "failed" and state.error and state.error.code == "storage"


def test_progress_is_not_told_faster_than_anybody_reads(make_run: MakeRun) -> None:
    run = make_run("fake-many", epochs=1)
    launch.start(run)
    _, events = follow(run)
    progress = [event for event in events if event["event"] == "progress"]
    assert progress[-1]["done"] == 1000 and len(progress) < 100


def test_the_reserve_is_there_again_after_resuming(make_run: MakeRun) -> None:
    run = begun(make_run, epochs=6)
    launch.stop(run)
    follow(run)
    (run.folder / RESERVE).unlink()
    launch.resume(run)
    follow(run)
    assert (run.folder / RESERVE).exists()


def test_the_process_speaks_the_language_in_force(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transfer_core.i18n.language", lambda: "zh_CN")
    assert child_environment()["TRANSFER_STUDIO_LANGUAGE"] == "zh_CN"


def test_a_module_in_the_working_folder_is_not_imported(make_run: MakeRun, tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-m", "transfer_core.runs.worker", "--help"]
    (tmp_path / "argparse.py").write_text("raise SystemExit('hijacked')")
    result = subprocess.run(command, cwd=tmp_path, env=child_environment(), capture_output=True, text=True)
    assert result.returncode == 0, result.stderr

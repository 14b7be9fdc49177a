"""Jobs as they are: processes that are started, killed, asked to stop and started again."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from transfer_core.backbones.weights import kept_weights
from transfer_core.data.project import Project
from transfer_core.errors import RunError
from transfer_core.processes import child_environment
from transfer_core.runs import jobs
from transfer_core.runs.job_kinds import Pace
from transfer_core.runs.jobs import Job, active_jobs, begin, create_job, find_job, list_jobs, read_state, start, stop
from transfer_core.runs.process import read_worker
from transfer_core.runs.state import RunReader, RunState

FAKE = Path(__file__).with_name("fake_job_worker.py")
LONG = {"what": "work", "count": 1000}


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs whose work is what their arguments say."""
    monkeypatch.setattr(jobs, "worker_command", lambda job: [sys.executable, str(FAKE), str(job.folder)])


@pytest.fixture(autouse=True)
def ended(own_home: Path) -> Iterator[None]:
    """No process is left after a test."""
    yield
    for job in list_jobs():
        with contextlib.suppress(psutil.Error):
            psutil.Process(pid_of(job)).kill()


def pid_of(job: Job) -> int:
    worker = read_worker(job.folder)
    if worker is None:
        raise psutil.NoSuchProcess(0)
    return worker.pid


def wait(job: Job, *statuses: str, patience: float = 30) -> RunState:
    deadline = time.monotonic() + patience
    while (state := read_state(job)).status not in statuses:
        assert time.monotonic() < deadline, (state.status, job.log_file.read_text())
        time.sleep(0.02)
    return state


def under_way(arguments: dict[str, Any] = LONG) -> Job:
    job = begin("fetch", arguments)
    deadline = time.monotonic() + 30
    while read_state(job).history.progress is None:
        assert time.monotonic() < deadline, job.log_file.read_text()
        time.sleep(0.02)
    return job


def events(job: Job) -> list[str]:
    return [event["event"] for event in RunReader(job).read()]


def test_a_job_from_start_to_end(stand_in: None) -> None:
    job = create_job("fetch", {"what": "work"})
    assert read_state(job).status == "queued" and active_jobs() == []
    start(job)
    assert [active.id for active in active_jobs()] == [job.id]
    state = wait(job, "finished")
    assert state.history.report == job.report() == {"done": 3}
    assert state.history.phase == "weights" and state.history.progress and state.history.progress["bytes_per_second"] == 20
    told = events(job)
    assert told[:3] == ["run_queued", "run_started", "phase"] and told[-1] == "run_finished"
    data = json.loads((job.folder / "job.json").read_bytes())
    assert data == {"schema": 1, "id": job.id, "kind": "fetch", "arguments": {"what": "work"}, "created": job.created}
    start(job)  # finished: left alone
    assert events(job) == told


def test_a_project_has_jobs_of_its_own(stand_in: None, project: Project) -> None:
    job = begin("fetch", {"what": "work"}, project.folder)
    assert job.folder.parent == project.cache / "jobs"
    assert find_job("fetch", {"what": "work"}) is None and list_jobs() == []
    assert find_job("fetch", {"what": "work"}, project.folder) is not None
    wait(job, "finished")


def test_stopped_and_begun_again(stand_in: None) -> None:
    job = under_way()
    stop(job)
    state = wait(job, "stopped")
    assert state.error is None and active_jobs() == []
    stop(job)  # nothing to stop
    again = begin("fetch", LONG)
    assert again.id == job.id
    wait(again, "running")
    assert "run_resumed" in events(job)
    stop(again)
    wait(again, "stopped")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_system_that_shuts_down_stops_it(stand_in: None, number: signal.Signals) -> None:
    job = under_way()
    os.kill(pid_of(job), number)
    wait(job, "stopped")


def test_one_that_does_not_look_is_stopped_as_well(stand_in: None) -> None:
    job = under_way({"what": "deaf", "count": 1000})
    stop(job)
    wait(job, "stopped", patience=10)
    time.sleep(0.3)
    assert events(job)[-1] == "run_stopped"


def test_killed_says_so_and_can_be_started_again(stand_in: None) -> None:
    job = under_way()
    os.kill(pid_of(job), signal.SIGKILL)
    state = wait(job, "died")
    assert state.error and state.error.code == "died" and state.error.fix
    assert begin("fetch", LONG).id == job.id
    assert wait(job, "running").error is None


def test_it_outlives_whoever_started_it(stand_in: None) -> None:
    code = "import sys; from tests.runs.test_jobs import begin_apart; begin_apart()"
    done = subprocess.run(
        [sys.executable, "-c", code], env=child_environment(), cwd=FAKE.parents[2], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    job = Job(done.stdout.strip())
    assert read_state(job).status in ("starting", "running")


def begin_apart() -> None:
    """What the process of that test does."""
    jobs.worker_command = lambda job: [sys.executable, str(FAKE), str(job.folder)]
    print(begin("fetch", LONG).folder)


def test_begun_at_once_from_many_places_it_is_one(stand_in: None) -> None:
    begun: list[Job] = []
    threads = [threading.Thread(target=lambda: begun.append(begin("fetch", LONG))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(begun) == 4 and len({job.id for job in begun}) == 1
    wait(begun[0], "running")
    assert events(begun[0]).count("run_started") == 1


def test_started_twice_at_once_is_one_process(stand_in: None) -> None:
    job = create_job("fetch", LONG)
    threads = [threading.Thread(target=start, args=(job,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait(job, "running")
    assert events(job).count("run_started") == 1 and "run_resumed" not in events(job)


@pytest.mark.parametrize(("what", "code"), [("refused", "wrong-weights"), ("crash", "internal"), ("exit", "internal")])
def test_a_failure_is_told_as_data(stand_in: None, what: str, code: str) -> None:
    job = begin("fetch", {"what": what})
    state = wait(job, "failed")
    assert state.error and state.error.code == code and state.error.fix and "Traceback" not in str(state.error)
    deadline = time.monotonic() + 10
    while "Traceback" not in job.log_file.read_text() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert "Traceback" in job.log_file.read_text()


def test_a_process_that_just_ends_died(stand_in: None) -> None:
    wait(begin("fetch", {"what": "gone"}), "died")


def test_a_process_that_does_not_come_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "worker_command", lambda job: [sys.executable, "-c", "raise SystemExit('no')"])
    with pytest.raises(RunError) as caught:
        begin("fetch", {"what": "work"})
    assert caught.value.code == "not-started"
    assert read_state(list_jobs()[0]).status == "queued"


def test_finished_ones_are_done_anew_and_old_ones_tidied_away(stand_in: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "KEPT", 2)
    at_work = under_way()
    for place in range(4):
        job = begin("fetch", {"what": "work", "count": 1})
        wait(job, "finished")
        deadline = time.monotonic() + 10
        while psutil.pid_exists(pid_of(job)) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert len({found.id for found in list_jobs()}) == min(place + 2, 4)
    assert at_work.id in {found.id for found in list_jobs()}


def test_what_is_no_job_is_refused_or_passed_over(tmp_path: Path) -> None:
    with pytest.raises(RunError) as caught:
        create_job("nothing", {})
    assert caught.value.code == "unknown-job"
    job = create_job("fetch", {"backbone": "resnet18"})
    for text, code in (("{}", "broken-job"), ('{"schema": 99}', "newer-schema"), ("[", "")):
        (job.folder / "job.json").write_text(text)
        with pytest.raises(RunError) as caught:
            Job(job.folder)
        assert code in caught.value.code
        assert list_jobs() == []


def test_the_pace_is_that_of_the_last_seconds() -> None:
    pace = Pace()
    assert pace.speed(1000, now=0.0) is None  # a download that goes on from what was here
    assert pace.speed(2000, now=1.0) == 1000
    for second in range(2, 12):
        last = pace.speed(2000 + 10 * second, now=float(second))
    assert last == pytest.approx(10, rel=0.3)


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in place of torchvision's server, with weights of squeezenet1_1 as if torchvision had published them; their file."""
    import torch
    from torchvision.models import squeezenet1_1

    made = tmp_path / "made.pth"
    torch.manual_seed(0)
    torch.save(squeezenet1_1().state_dict(), made)
    name = f"squeezenet1_1-{hashlib.sha256(made.read_bytes()).hexdigest()[:8]}.pth"
    (tmp_path / "mirror").mkdir()
    monkeypatch.setenv("TRANSFER_STUDIO_WEIGHTS_MIRROR", str(tmp_path / "mirror"))
    monkeypatch.setenv("FAKE_PUBLISHED", name)
    return made.rename(tmp_path / "mirror" / name)


def test_weights_are_fetched(stand_in: None, published: Path) -> None:
    job = begin("fetch", {"backbone": "squeezenet1_1"})
    state = wait(job, "finished", "failed", patience=60)
    assert state.status == "finished", state.error
    told = [event for event in RunReader(job).read() if event["event"] == "progress"]
    assert told[-1]["done"] == told[-1]["total"] == published.stat().st_size
    assert {"bytes_per_second", "eta_seconds"} <= told[-1].keys()
    report = job.report()
    assert report and [kept.digest for kept in kept_weights("squeezenet1_1")] == [report["digest"]]


def test_weights_that_are_not_there_say_what_to_do(stand_in: None, published: Path) -> None:
    published.unlink()
    state = wait(begin("fetch", {"backbone": "squeezenet1_1"}), "failed")
    assert state.error and state.error.code == "weights-not-found" and published.name in (state.error.fix or "")


def test_the_real_process_refuses_what_torchvision_did_not_publish(published: Path) -> None:
    published.rename(published.with_name("squeezenet1_1-b8a52dc0.pth"))
    state = wait(begin("fetch", {"backbone": "squeezenet1_1"}), "failed", patience=60)
    assert state.error and state.error.code == "weights-hash"

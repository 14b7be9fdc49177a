from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from filelock import FileLock

from transfer_core.data import scanning
from transfer_core.data.project import Project
from transfer_core.data.reading import Source


@pytest.fixture
def project(tmp_path: Path, draw) -> Project:
    folder = draw(tmp_path / "data", *(f"{label}/{n}.png" for label in ("cat", "dog") for n in range(3)))
    return Project.for_source(folder)


def wait(project: Project, status: str = "finished") -> scanning.ScanState:
    deadline = time.monotonic() + 60
    while (state := scanning.state(project)).status != status:
        assert time.monotonic() < deadline, state
        time.sleep(0.05)
    return state


def write_state(project: Project, **data: object) -> None:
    folder = project.cache / "scan"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "state.json").write_text(json.dumps(data))


def test_a_scan_runs_beside_the_page(project: Project) -> None:
    """Started, watched, finished: the table is filled by another process, and the state says with what."""
    assert scanning.state(project).status == "none"
    scanning.start(project)
    assert scanning.state(project).status in ("running", "finished")
    state = wait(project)
    assert state.report == {"images": 6, "left_out": 0, "classes": 2, "read": 6}
    assert project.table.count() == 6


def test_what_is_added_during_a_scan_is_looked_through(project: Project, tmp_path: Path, draw, monkeypatch) -> None:
    """Its start is no second scan, and what came while pictures were compared must not wait until somebody opens the project again."""
    more = draw(tmp_path / "more", "cat/new.png")
    looked = []

    def look(*arguments: Any, **named: Any) -> int:
        looked.append(None)
        if len(looked) == 1:
            Project.open(project.folder).add_source(Source(more))
            scanning.start(project)
        return 0

    monkeypatch.setattr(scanning, "look", look)
    assert scanning.main(project.folder) == 0
    assert len(looked) == 2 and project.table.count() == 7
    assert scanning.state(project).status == "finished"


def test_a_failed_scan_says_why(project: Project, tmp_path: Path) -> None:
    """The pictures went away: the state carries the error as data."""
    (tmp_path / "data").rename(tmp_path / "moved")
    assert scanning.main(project.folder) == 2
    state = scanning.state(project)
    assert state.status == "failed" and state.error is not None
    assert state.error["code"] == "no-such-folder" and state.error["fix"]


def test_an_unexpected_error_is_told_too(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug of ours ends the scan as failed, not as running for ever."""
    monkeypatch.setattr(scanning, "scan", lambda *_: 1 / 0)
    assert scanning.main(project.folder) == 2
    state = scanning.state(project)
    assert state.status == "failed" and state.error is not None and state.error["code"] == "internal"


def test_a_killed_scan_is_none(project: Project) -> None:
    """A scan whose process died is not waited for, and the next one starts."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    created = psutil.Process(child.pid).create_time()
    write_state(project, status="running", done=3, total=9, pid=child.pid, created=created)
    assert scanning.state(project) == scanning.ScanState("running", 3, 9)
    os.kill(child.pid, signal.SIGTERM)
    deadline = time.monotonic() + 10
    while scanning.state(project).status != "none":  # a zombie until it is waited for
        assert time.monotonic() < deadline
        time.sleep(0.02)
    child.wait()
    assert scanning.state(project).status == "none"
    write_state(project, status="running", pid=os.getpid(), created=created - 1000)  # another process has its number now
    assert scanning.state(project).status == "none"


def test_a_scan_that_never_spoke_is_given_up(project: Project) -> None:
    """Between start and first words it counts as running, but not for ever."""
    write_state(project, status="running", time=time.time())
    assert scanning.state(project).status == "running"
    write_state(project, status="running", time=time.time() - 60)
    assert scanning.state(project).status == "none"


@pytest.mark.parametrize("content", ["", "{", "[]", '"x"', "{}", '{"status": 5}', '{"status": "running", "pid": "x"}'])
def test_a_damaged_state_is_none(project: Project, content: str) -> None:
    """Whatever lies in the cache, a page is not broken by it."""
    folder = project.cache / "scan"
    folder.mkdir(parents=True)
    (folder / "state.json").write_text(content)
    assert scanning.state(project).status == "none"


def test_a_second_start_is_no_second_scan(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two tabs ask at once: one scan."""
    started: list[Any] = []
    monkeypatch.setattr(scanning, "start_apart", lambda *arguments: started.append(arguments))
    scanning.start(project)
    scanning.start(project)
    assert len(started) == 1


def test_a_second_process_makes_way(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Should two processes start all the same, the second leaves the work to the first and says nothing."""
    write_state(project, status="running", time=1.0)
    monkeypatch.setattr(scanning, "scan", lambda *_: pytest.fail("scanned"))
    with FileLock(project.cache / "scan" / ".lock", is_singleton=False):
        assert scanning.main(project.folder) == 0
    assert json.loads((project.cache / "scan" / "state.json").read_text()) == {"status": "running", "time": 1.0}


def test_an_archive_is_unpacked_on_the_way(tmp_path: Path, draw, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page is told that it is being unpacked, in bytes; a hostile one is said as any failure."""
    folder = draw(tmp_path / "raw", *(f"{label}/{n}.png" for label in ("cat", "dog") for n in range(3)))
    with zipfile.ZipFile(tmp_path / "pets.zip", "w") as archive:
        for path in folder.rglob("*.png"):
            archive.write(path, path.relative_to(folder))
    project = Project.for_source(tmp_path / "pets.zip")
    doing: list[str] = []

    def look(source: Source, progress: Callable[[int, int], None]) -> None:
        monkeypatch.setattr(scanning.time, "monotonic", lambda: 1e9 + len(doing))
        progress(1, 10)
        state = scanning.state(project)
        doing.append(f"{state.doing} {state.done}/{state.total}")

    monkeypatch.setattr(scanning, "bring_in", look)
    assert scanning.main(project.folder) == 0
    assert doing == ["unpack 1/10"] and scanning.state(project).status == "finished"
    assert project.table.count() == 6
    (tmp_path / "pets.zip").write_bytes(b"nothing")
    shutil.rmtree(project.folder / "imports")
    monkeypatch.undo()
    monkeypatch.setenv("TRANSFER_STUDIO_HOME", str(project.folder.parent))
    assert scanning.main(project.folder) == 2
    assert "refused" in (scanning.state(project).error or {})["message"]

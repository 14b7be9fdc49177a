"""A home of its own for every test, a project in it, and runs whose training is a stand-in."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from transfer_core.data.project import Project
from transfer_core.runs import launch
from transfer_core.runs.folder import Run, create_run
from transfer_core.runs.process import is_alive, read_worker
from transfer_core.training.settings import RunSettings

FAKE_WORKER = Path(__file__).with_name("fake_worker.py")


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    monkeypatch.setenv("TRANSFER_STUDIO_HOME", str(home))
    monkeypatch.delenv("TRANSFER_STUDIO_LANGUAGE", raising=False)
    return home


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    for label in ("cat", "dog"):
        (tmp_path / "pictures" / label).mkdir(parents=True)
    return tmp_path / "pictures"


@pytest.fixture
def project(pictures: Path) -> Project:
    return Project.for_source(pictures)


@pytest.fixture
def make_run(project: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Run]]:
    """Makes runs; `what` is what the stand-in does. Processes that are left are ended after the test."""
    runs: list[Run] = []
    monkeypatch.setattr(launch, "worker_command", lambda run: [sys.executable, str(FAKE_WORKER), str(run.folder)])

    def make(what: str = "fake", epochs: int = 4, out: Path | None = None) -> Run:
        runs.append(create_run(project, RunSettings(plan="custom", backbone=what, epochs=epochs), out))
        return runs[-1]

    yield make
    for run in runs:
        worker = read_worker(run.folder)
        if worker is not None and worker.pid != os.getpid() and is_alive(run):
            psutil.Process(worker.pid).kill()

"""A worker killed at any moment: the run says so, and resumed gives the model it would have given, bit for bit."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults.conftest import BACKBONE, ROOT, Command
from transfer_core.data.project import Project
from transfer_core.runs.folder import Run, create_run, read_state
from transfer_core.training.settings import RunSettings

KILLED_WORKER = Path(__file__).with_name("killed_worker.py")
CUSTOM = {"plan": "custom", "epochs": 2, "batch_size": 8, "freeze": "last-stage"}

# Every phase of both plans, as it begins and, where it reports progress, in its middle; and after the first epoch's checkpoint.
MOMENTS = [
    ({}, "phase", "scan"),
    ({}, "phase", "weights"),
    ({}, "phase", "graph"),
    ({}, "progress", "decode"),
    ({}, "progress", "features"),
    ({}, "phase", "head"),
    ({}, "phase", "evaluate"),
    (CUSTOM, "progress", "train"),
    (CUSTOM, "epoch", "1"),
    (CUSTOM, "epoch", "2"),
    (CUSTOM, "progress", "choose"),
    (CUSTOM, "phase", "evaluate"),
]


def digests(run: Run) -> dict[str, str]:
    """What the model is made of; its description holds the time of day and is left out."""
    return {
        name: hashlib.sha256((run.model_folder / name).read_bytes()).hexdigest() for name in ("model.onnx", "model.safetensors")
    }


def make(pictures: Path, weights: Path, settings: dict[str, Any]) -> Run:
    values = {"backbone": BACKBONE, "weights": str(weights), "threads": 1} | settings
    return create_run(Project.for_source(pictures), RunSettings.check(values))


def work(environment: dict[str, str], *command: str | Path) -> int:
    return subprocess.run(
        [sys.executable, *map(str, command)], env=environment, cwd=ROOT, capture_output=True, timeout=180
    ).returncode


@pytest.fixture(scope="session")
def reference_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home apart: nothing that a killed run computed may be found by the one it is compared with."""
    return tmp_path_factory.mktemp("reference")


_untouched: dict[str, dict[str, str]] = {}


@pytest.fixture
def untouched(
    reference_home: Path, pictures: Any, weights: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Callable[[dict[str, Any]], dict[str, str]]:
    """The model of a run that nobody touched, made once for each plan."""

    def digests_of(settings: dict[str, Any]) -> dict[str, str]:
        key = str(settings)
        if key not in _untouched:
            monkeypatch.setenv("TRANSFER_STUDIO_HOME", str(reference_home))
            run = make(pictures(count=8), weights, settings)
            worker = ("-m", "transfer_core.runs.worker", run.folder)
            assert work(environment | {"TRANSFER_STUDIO_HOME": str(reference_home)}, *worker) == 0
            _untouched[key] = digests(run)
        return _untouched[key]

    return digests_of


@pytest.mark.parametrize(
    ("settings", "event", "value"), MOMENTS, ids=lambda part: part.get("plan", "quick") if isinstance(part, dict) else part
)
def test_resumes_to_the_same_model(
    settings: dict[str, Any],
    event: str,
    value: str,
    pictures: Any,
    weights: Path,
    environment: dict[str, str],
    command: Command,
    untouched: Callable[[dict[str, Any]], dict[str, str]],
) -> None:
    """Killed there, the run is seen to have died; resumed, its model equals that of a run nobody touched, bit for bit."""
    folder = pictures(count=8)
    run = make(folder, weights, settings)
    assert work(environment, KILLED_WORKER, run.folder, event, value) == -9
    assert read_state(run).status == "died"
    code, report = command("runs", "resume", run.folder)
    assert code == 0, report

    assert digests(run) == untouched(settings)
    assert read_state(run).status == "finished"

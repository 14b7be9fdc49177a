"""One training by two real processes: the same losses and parameters as one alone, and a clean end whichever of them is killed."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import safetensors.torch
import torch

from tests.training.small_worker import ABORTS
from transfer_core.data.project import Project
from transfer_core.runs import control, launch
from transfer_core.runs.events import Event
from transfer_core.runs.folder import Run, create_run
from transfer_core.runs.process import read_worker
from transfer_core.runs.state import RunReader, RunState, read_state
from transfer_core.training.settings import RunSettings
from transfer_core.training.world import World

ROOT = Path(__file__).parents[2]
WORKER = Path(__file__).with_name("small_worker.py")
BACKBONE = "mobilenet_v3_small"
LONG = 1000
PATIENCE = 60.0

Make = Callable[..., Run]


@pytest.fixture
def make(kept: object, pictures: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """`make(processes=2, epochs=3)` is a run that real processes train, in float32 and without chance; none is left after the test."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setattr(launch, "module_command", lambda _module, folder: [sys.executable, str(WORKER), str(folder)])
    project = Project.for_source(pictures(count=10))
    fixed = {"plan": "custom", "backbone": BACKBONE, "augmentation": "none", "batch_size": 8, "learning_rate": 0.01}
    runs: list[Run] = []

    def of(**settings: Any) -> Run:
        values = fixed | {"device": "cpu", "threads": 1} | settings
        runs.append(create_run(project, RunSettings(**values)))
        return runs[-1]

    yield of
    for run in runs:
        for process in processes_of(run):
            process.kill()


def processes_of(run: Run) -> list[psutil.Process]:
    """All living processes that were started for a run: torchrun's first."""
    found = []
    for process in psutil.process_iter(["cmdline", "status", "create_time"]):
        if str(run.folder) in (process.info["cmdline"] or []) and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return sorted(found, key=lambda each: each.info["create_time"])


def trained(run: Run) -> tuple[RunState, list[Event]]:
    launch.start(run)
    return to_its_end(run)


def to_its_end(run: Run) -> tuple[RunState, list[Event]]:
    """How it ended, and its epochs; fails where it does not end."""
    reader, deadline = RunReader(run), time.monotonic() + PATIENCE
    while not (state := reader.look()[0]).ended:
        assert time.monotonic() < deadline, run.log_file.read_text()
        time.sleep(0.05)
    return state, [dict(epoch) for epoch in state.history.epochs]


def begun(run: Run) -> None:
    """Start it, and wait for its second epoch."""
    launch.start(run)
    reader, deadline = RunReader(run), time.monotonic() + PATIENCE
    while len(reader.look()[0].history.epochs) < 2:
        assert time.monotonic() < deadline and not reader.look()[0].ended, run.log_file.read_text()
        time.sleep(0.02)


def none_is_left(run: Run) -> None:
    deadline = time.monotonic() + 20
    while left := processes_of(run):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


def parameters(run: Run) -> dict[str, torch.Tensor]:
    tensors = safetensors.torch.load_file(run.model_folder / "model.safetensors")
    return {name: tensor for name, tensor in tensors.items() if not name.startswith("refusal.")}


def same_parameters(one: Run, other: Run, tolerance: float) -> bool:
    first, second = parameters(one), parameters(other)
    return first.keys() == second.keys() and all(
        torch.allclose(first[n].float(), second[n].float(), atol=tolerance) for n in first
    )


def test_one_that_aborts_on_its_way_out_does_not_stop_the_first(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ABORTS, "1")
    several = make(processes=2, epochs=1)
    assert trained(several)[0].status == "finished", several.log_file.read_text()


@pytest.mark.parametrize(
    "settings",
    [{"epochs": 3}, pytest.param({"epochs": 3, "accumulate": 2, "clip": 0.5, "batch_size": 4}, marks=pytest.mark.slow)],
)
def test_two_processes_learn_what_one_does(make: Make, settings: dict[str, Any]) -> None:
    """The same global batches, of which the last is short: every epoch's losses are the same to 1e-4, and so are all parameters."""
    alone, several = make(processes=1, **settings), make(processes=2, **settings)
    (one, expected), (two, told) = trained(alone), trained(several)
    assert (one.status, two.status) == ("finished", "finished"), several.log_file.read_text()
    assert len(told) == len(expected) == 3
    for mine, others in zip(told, expected, strict=True):
        assert mine["step"] == others["step"]
        for name in ("train_loss", "val_loss"):
            assert mine[name] == pytest.approx(others[name], abs=1e-4)
        for name in ("train_accuracy", "val_accuracy"):
            assert mine[name] == others[name]
    assert expected[0]["train_loss"] - expected[-1]["train_loss"] > 0.1  # something was learned
    assert same_parameters(alone, several, 1e-4)
    none_is_left(several)
    assert "ERROR" not in several.log_file.read_text()


@pytest.mark.slow
@pytest.mark.parametrize("which", [0, 1, 2], ids=["torchrun", "first", "second"])
def test_killed_it_ends_with_a_sentence_and_is_resumed(make: Make, which: int) -> None:
    """Whichever process it is: within seconds no other is left, the run says so, and resumed it becomes the model it would have been."""
    settings = {"epochs": 12}
    whole, run = make(processes=2, **settings), make(processes=2, **settings)
    assert trained(whole)[0].status == "finished"
    begun(run)
    processes = processes_of(run)
    assert len(processes) == 3
    processes[which].kill()
    killed = time.monotonic()
    state, _epochs = to_its_end(run)
    assert state.status == ("died" if processes[which].pid == first_of(run) else "failed")
    assert state.error is not None and "ended" in str(state.error)
    none_is_left(run)
    assert time.monotonic() < killed + 30 and read_state(run).resumable
    launch.resume(run)
    assert to_its_end(run)[0].status == "finished", run.log_file.read_text()
    assert same_parameters(whole, run, 1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("what", ["stop", "pause"])
def test_asked_to_end_all_do(make: Make, what: control.Request) -> None:
    """What the first process is asked, all do at the same step."""
    run = make(processes=2, epochs=LONG)
    begun(run)
    control.request(run, what)
    state, _epochs = to_its_end(run)
    assert state.status == {"stop": "stopped", "pause": "paused"}[what], run.log_file.read_text()
    none_is_left(run)


def first_of(run: Run) -> int:
    worker = read_worker(run.folder)
    assert worker is not None
    return worker.pid


def test_all_shares_together_are_the_batch() -> None:
    """Also where there are fewer pictures than processes."""
    places = np.arange(7)
    for size in (2, 3, 9):
        shares = [World(rank, size).share(places) for rank in range(size)]
        assert sorted(np.concatenate(shares)) == list(range(7))

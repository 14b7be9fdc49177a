"""Where a run is at work and why, and what memory it takes there."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from transfer_core.advice import computer
from transfer_core.data.project import Project
from transfer_core.files import write_json
from transfer_core.runs import memory, placing, queue
from transfer_core.runs.folder import Run, create_run
from transfer_core.training.settings import RunSettings


@pytest.fixture
def card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A computer with a graphics card, as its driver's program tells."""
    program = tmp_path / "bin" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\ncase "$1" in *apps*) echo "{os.getpid()}, 300"; echo "1, [N/A]";; *) echo "NVIDIA H100, 81559";; esac\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)


@pytest.fixture(autouse=True)
def looked_at_anew() -> None:
    for known in (computer.usual_device, computer.card_without_torch, memory._cards):
        known.cache_clear()


def torch_built(monkeypatch: pytest.MonkeyPatch, cuda: bool) -> None:
    monkeypatch.setattr(computer, "_build", lambda name: computer.Torch("2.10.0", cuda))


def test_without_a_card(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(computer, "_gpus", list)
    auto, asked = create_run(project, RunSettings()), create_run(project, RunSettings(device="cuda"))
    assert placing.placing(auto).device == "cpu" and "no graphics card" in placing.placing(auto).reason
    assert placing.placing(asked) == placing.Placing("cuda", "its settings ask for it")


def test_with_a_card(project: Project, card: None, monkeypatch: pytest.MonkeyPatch) -> None:
    torch_built(monkeypatch, cuda=True)
    run = create_run(project, RunSettings())
    assert queue.device_for(run.settings) == placing.placing(run).device == "cuda"
    assert placing.placing(create_run(project, RunSettings(device="cpu"))).device == "cpu"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    computer.usual_device.cache_clear()
    assert queue.device_for(run.settings) == "cpu"


def test_with_a_card_that_torch_is_not_built_for(project: Project, card: None, monkeypatch: pytest.MonkeyPatch) -> None:
    torch_built(monkeypatch, cuda=False)
    found = placing.placing(create_run(project, RunSettings()))
    assert found.device == "cpu" and "torch can't use it" in found.reason


def test_what_the_run_settled_counts(project: Project) -> None:
    run = create_run(project, RunSettings())
    write_json(run.folder / "choices.json", {"device": "cuda"})
    assert placing.placing(run).device == "cuda"


def test_memory(make_run: Callable[..., Run], card: None) -> None:
    run = make_run()
    assert memory.memory_of(run, "cpu") is None
    own = psutil.Process()
    write_json(run.folder / "worker.json", {"pid": own.pid, "create_time": own.create_time(), "began": time.time()})
    taken = memory.memory_of(run, "cpu")
    assert taken and 1e7 < taken.computer < 1e11 and taken.card is None
    taken = memory.memory_of(run, "cuda")
    assert taken and taken.card == 300 * 1024**2
    assert memory.parse_processes("7, 5\n7, 6\n\nNot Supported\n8, [N/A]\n") == {7: 11 * 1024**2}

"""A run broken off at any instant says so, and resumed gives the model it would have given, bit for bit, and tells the same."""

from __future__ import annotations

import hashlib
import random
import signal
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Pictures
from tests.faults.conftest import BACKBONE
from tests.faults.killed_worker import PROCESSES, Break, carry, moment_of
from transfer_core.data.project import Project
from transfer_core.runs import control
from transfer_core.runs.events import EventReader
from transfer_core.runs.folder import Run, create_run, read_state
from transfer_core.training.settings import RunSettings

SETTINGS: dict[str, dict[str, Any]] = {
    "quick": {"plan": "quick"},
    "better": {"plan": "better"},
    "best": {"plan": "best"},
    "custom": {"plan": "custom", "epochs": 2, "batch_size": 8, "freeze": "last-stage", "average": 0.9, "optimiser": "adamw"},
}
ENDED_AS = {"kill": "died", "pause": "paused"}
# What is broken off in the ordinary run, in this order in one run: at an instant within what begins there, or (0) right then.
ONCE: dict[str, list[tuple[str, str, bool]]] = {
    "best": [
        *(("kill", moment, True) for moment in ("graph", "decode", "features", "head", "boundary", "tail")),
        ("pause", "epoch-3", True),
        *(("kill", moment, True) for moment in ("full", "graph-2", "choose", "evaluate")),
    ],
    "custom": [("kill", "train", True), ("pause", "epoch-1", False)],
}


@dataclass(frozen=True)
class Outcome:
    """What is held against that of another run: files by their digest, and what a reader sees, times aside."""

    files: dict[str, str]
    epochs: list[dict[str, Any]]
    phases: list[str]
    notices: set[str]


def outcome(run: Run) -> Outcome:
    """The model's description holds the time of day and is left out, and so are notices of how long something takes."""
    files = [run.model_folder / "model.onnx", run.model_folder / "model.safetensors", run.folder / "answers.jsonl"]
    history = read_state(run).history
    return Outcome(
        {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files},
        [{name: value for name, value in epoch.items() if name not in ("time", "seconds")} for epoch in history.epochs],
        list(history.phases),
        {notice for notice in history.notices if "takes about" not in notice},
    )


@dataclass(frozen=True)
class Undisturbed:
    """A run that nobody touched, and how many seconds passed after each of its moments until the next."""

    outcome: Outcome
    lengths: dict[str, float]


def lengths(run: Run) -> dict[str, float]:
    """Seconds from each moment to the next phase or epoch that was told, or to the end."""
    seen: Counter[str] = Counter()
    told = [
        (event["time"], moment_of(event["event"], event, seen))
        for event in EventReader(run.events_file).read()
        if event["event"] in ("phase", "epoch", "run_finished")
    ]
    return {moment: after[0] - time for (time, moment), after in pairwise(told) if moment is not None}


@dataclass(frozen=True)
class Bench:
    """Makes runs on the same pictures, each in a home of its own: nothing that one computed may be found by another."""

    folder: Path
    pictures: Path
    weights: Path
    environment: dict[str, str]
    patch: pytest.MonkeyPatch

    def make(self, name: str, plan: str) -> Run:
        """A run of the plan, not begun."""
        self.patch.setenv("TRANSFER_STUDIO_HOME", str(self.folder / name))
        values = {"backbone": BACKBONE, "weights": str(self.weights), "threads": 1} | SETTINGS[plan]
        return create_run(Project.for_source(self.pictures), RunSettings.check(values))

    def work(self, run: Run, breaks: Sequence[Break] = ()) -> int:
        """The exit code of a process that carries the run, broken off at the first of these that comes."""
        environment = self.environment | {"TRANSFER_STUDIO_HOME": str(run.project_folder.parent)}
        log = run.folder / "test.log"
        process = PROCESSES.Process(target=carry, args=(run.folder, breaks, environment, log))
        process.start()
        process.join(600)
        assert process.exitcode in (0, -signal.SIGKILL, -signal.SIGALRM), log.read_text(encoding="utf-8")
        return process.exitcode


_untouched: dict[str, Undisturbed] = {}
Reference = Callable[[str], Undisturbed]


@pytest.fixture(scope="session")
def bench_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bench")


@pytest.fixture
def bench(
    bench_folder: Path, pictures: Pictures, weights: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Bench:
    drawn = bench_folder / "pictures"
    if not drawn.exists():
        pictures(count=8, under=drawn)
    return Bench(bench_folder, drawn, weights, environment, monkeypatch)


@pytest.fixture
def untouched(bench: Bench) -> Reference:
    """The run that nobody touched, made once for each plan."""

    def reference(plan: str) -> Undisturbed:
        if plan not in _untouched:
            run = bench.make(f"untouched-{plan}", plan)
            assert bench.work(run) == 0
            _untouched[plan] = Undisturbed(outcome(run), lengths(run))
        return _untouched[plan]

    return reference


def broken_off(bench: Bench, run: Run, breaks: Sequence[Break]) -> list[Break]:
    """Carry the run to its end, in as many processes as it is broken off at these in turn; gives those that were lived to see.

    One that came too late, with what comes after its moment kept already, takes the place of the next.
    """
    met: list[Break] = []
    while breaks:
        code = bench.work(run, breaks)
        moment = first_told(run, {moment for _how, moment, _delay in breaks})
        place = next((place for place, each in enumerate(breaks) if each[1] == moment), len(breaks))
        met += breaks[place : place + 1]
        if (status := read_state(run).status) == "finished":
            return met
        assert (status, code == 0) == (ENDED_AS[breaks[place][0]], breaks[place][0] == "pause")
        control.clear(run.folder)  # as `launch.resume` does
        breaks = breaks[place + 1 :]
    assert bench.work(run) == 0
    assert read_state(run).status == "finished"
    return met


def first_told(run: Run, moments: set[str]) -> str | None:
    """Which of the moments the run's last process came to first."""
    told: list[str | None] = []
    for event in EventReader(run.events_file).read():
        if event["event"] in ("run_started", "run_resumed"):
            told, seen = [], Counter[str]()
        elif event["event"] in ("phase", "epoch"):
            told.append(moment_of(event["event"], event, seen))
    return next((moment for moment in told if moment in moments), None)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("plan", ONCE)
def test_resumes_to_the_same_model(plan: str, bench: Bench, untouched: Reference) -> None:
    """Broken off at an instant within each of its phases, and paused in each of its trainings."""
    reference = untouched(plan)
    chance = random.Random(plan)
    breaks = [
        (how, moment, chance.uniform(0.1, 0.6) * reference.lengths[moment] if within else 0.0)
        for how, moment, within in ONCE[plan]
    ]
    run = bench.make(f"broken-{plan}", plan)
    assert len(broken_off(bench, run, breaks)) >= len(breaks) - 2  # the last may be over before it is broken off
    assert outcome(run) == reference.outcome


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("number", range(20))
@pytest.mark.parametrize("plan", SETTINGS)
def test_resumes_from_random_instants(plan: str, number: int, bench: Bench, untouched: Reference) -> None:
    """The same at twenty random instants of every phase and every epoch."""
    reference = untouched(plan)
    chance = random.Random(f"{plan}-{number}")
    breaks = [("kill", moment, chance.uniform(0, 1) * length) for moment, length in reference.lengths.items()]
    run = bench.make(f"random-{plan}-{number}", plan)
    print(broken_off(bench, run, breaks))
    assert outcome(run) == reference.outcome

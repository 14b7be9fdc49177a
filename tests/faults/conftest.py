"""A small run on drawn pictures and random weights, as real processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torchvision import models

ROOT = Path(__file__).parents[2]
BACKBONE = "mobilenet_v3_small"

Command = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state dict as a user would bring one: random, but always the same."""
    torch.manual_seed(0)
    file = tmp_path_factory.mktemp("weights") / f"{BACKBONE}.pth"
    torch.save(models.mobilenet_v3_small(weights=None).state_dict(), file)
    return file


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """One thread, so that tests side by side don't wait for each other; the test's own home."""
    return os.environ | {"OMP_NUM_THREADS": "1", "TRANSFER_STUDIO_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT)}


@pytest.fixture
def command(environment: dict[str, str], weights: Path) -> Command:
    """`transfer-studio ... --json` in a process: its exit code and its last line; `train` gets the backbone and a thread."""

    def run(*arguments: str | Path, prelude: tuple[str, ...] = (), **options: Any) -> tuple[int, dict[str, Any]]:
        given = [str(argument) for argument in arguments]
        if given[0] == "train" and "--backbone" not in given:
            given += ["--backbone", BACKBONE, "--weights", str(weights)]
        if given[0] == "train":
            given += ["--threads", "1"]
        done = subprocess.run(
            [*prelude, sys.executable, "-m", "transfer_core.cli", *given, "--json"],
            capture_output=True,
            text=True,
            env=environment,
            timeout=180,
            **options,
        )
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout.splitlines()[-1])

    return run

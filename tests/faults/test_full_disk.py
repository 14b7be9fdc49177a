"""A disk that is full: the run says which file did not fit, and resumed once there is room it finishes."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.faults.conftest import BACKBONE, ROOT, Command
from transfer_core import files
from transfer_core.data.project import Project
from transfer_core.errors import StorageError
from transfer_core.runs.folder import create_run, read_state
from transfer_core.training.settings import RunSettings


@pytest.mark.parametrize("limit", [1_000_000, *(pytest.param(limit, marks=pytest.mark.slow) for limit in (3_000_000, 4_500_000))])
def test_file_size_limit(limit: int, pictures: Any, weights: Path, environment: dict[str, str], command: Command) -> None:
    """A worker that may not write large files fails with `disk-full`; without the limit it resumes and finishes.

    The limits meet, in turn, the pixel map, the weights and the model.
    """
    folder = pictures(count=8)
    settings = RunSettings(backbone=BACKBONE, weights=str(weights), threads=1)
    run = create_run(Project.for_source(folder), settings)

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    worker = [sys.executable, "-m", "transfer_core.runs.worker", str(run.folder)]
    done = subprocess.run(worker, env=environment, cwd=ROOT, preexec_fn=limited, capture_output=True, text=True, timeout=120)
    state = read_state(run)
    assert done.returncode == 2
    assert state.status == "failed" and state.error is not None
    assert state.error.code == "disk-full", (state.error, done.stderr[-2000:])
    assert state.error.file and state.error.fix
    assert not list(run.folder.rglob("*.partial"))
    code, report = command("runs", "resume", run.folder)
    assert code == 0, report
    assert report["images"] == 24


def test_injected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole write that fails names the file, leaves the old content and no partial file."""
    file = tmp_path / "kept.json"
    files.write_json(file, {"old": True})

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(StorageError) as caught:
        files.write_json(file, {"old": False})
    assert caught.value.code == "disk-full" and caught.value.file == str(file)
    assert files.read_json(file) == {"old": True}
    assert [path.name for path in tmp_path.iterdir()] == ["kept.json"]

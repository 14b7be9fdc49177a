"""The command as users have it: real weights, real training, interrupted at a terminal."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
WEIGHTS = Path(os.environ.get("TRANSFER_STUDIO_SHARED") or ROOT.parent / "shared") / "weights" / "squeezenet1_1-imagenet.pth"

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not WEIGHTS.exists(), reason="the real weights are not here")]


@pytest.fixture
def stripes(tmp_path: Path) -> Path:
    """Two classes that can be told apart: noise with stripes across, and with stripes down."""
    random = numpy.random.default_rng(0)
    for label in ("across", "down"):
        folder = tmp_path / "stripes" / label
        folder.mkdir(parents=True)
        for number in range(16):
            picture = random.integers(0, 120, (96, 96, 3))
            rows = picture if label == "across" else picture.transpose(1, 0, 2)
            rows[number % 4 :: 8] += 120
            Image.fromarray(picture.astype("uint8")).save(folder / f"{number}.png")
    return tmp_path / "stripes"


def begin(*arguments: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "transfer_core.cli", *map(str, arguments), "--json"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(process: subprocess.Popen[str]) -> tuple[int, dict]:
    out, err = process.communicate(timeout=300)
    assert out, err
    return process.returncode, json.loads(out.splitlines()[-1])


def test_quick_then_predict_and_evaluate(stripes: Path, tmp_path: Path) -> None:
    code, report = finished(
        begin("train", stripes, "--backbone", "squeezenet1_1", "--weights", WEIGHTS, "--out", tmp_path / "out")
    )
    assert code == 0 and report["val"]["accuracy"] > 0.8 and report["images"] == 32
    assert {"run", "model", "classes", "images", "val", "test", "seconds", "backbone", "plan", "device", "peak_rss_mb"} <= set(
        report
    )
    code, answers = finished(begin("predict", tmp_path / "out", stripes / "down"))
    assert code == 0 and len(answers) == 16
    code, scores = finished(begin("evaluate", report["model"], stripes))
    assert code == 0 and scores["test"]["count"] == 32


def test_interrupted_and_resumed_it_is_the_same_model(stripes: Path, tmp_path: Path) -> None:
    train = ["train", stripes, "--plan", "custom", "--backbone", "squeezenet1_1", "--weights", WEIGHTS]
    train += ["--set", "epochs=3", "--set", "freeze=all", "--set", "batch_size=8"]
    process = begin(*train, "--out", tmp_path / "parts")
    assert process.stderr
    while not process.stderr.readline().startswith("Epoch 1"):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    code, answer = finished(process)
    assert code == 2 and answer["error"]["code"] == "stopped"
    assert finished(begin("runs", "resume", tmp_path / "parts"))[0] == 0
    assert finished(begin(*train, "--out", tmp_path / "whole"))[0] == 0
    digests = {
        hashlib.sha256((tmp_path / name / "model" / "model.safetensors").read_bytes()).hexdigest() for name in ("parts", "whole")
    }
    assert len(digests) == 1

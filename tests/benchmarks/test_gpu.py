"""The measuring script for graphics cards, tried on whatever this computer has."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "gpu.py"
# What a bare machine lacks: importing any of them is an error there.
LACKING = ("pydantic", "onnxruntime", "onnx", "safetensors", "psutil", "filelock", "streamlit")


def test_it_runs_where_only_torch_is_installed(tmp_path: Path) -> None:
    """From any folder, as a file; every figure it promises is in what it writes."""
    blocked = (
        f"import sys; sys.modules.update(dict.fromkeys({LACKING!r})); sys.argv = ['gpu.py', '--tiny', '--out', 'out.json']; "
    )
    code = blocked + f"import runpy; runpy.run_path({str(SCRIPT)!r}, run_name='__main__')"
    done = subprocess.run([sys.executable, "-P", "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "out.json").read_text())
    assert found["not_measured"] is None
    assert {(one["memory_format"], one["optimiser"]) for one in found["results"]} == {
        ("channels_last", "single"),
        ("contiguous", "single"),
        ("channels_last", "fused"),
    }
    for one in found["results"]:
        assert one["bare"] > 0 and one["loop"] > 0 and one["loop_of_bare"] > 0


def test_multiply_adds_are_those_of_the_published_table(tmp_path: Path) -> None:
    """The share of a card's limit stands on them: 4.09 and 4.46 thousand million for a picture of 224 pixels."""
    code = (
        f"import runpy, torch; from torchvision import models; bench = runpy.run_path({str(SCRIPT)!r}); "
        "one = bench['Bench'](torch.device('cpu'), torch.float32, 1, 224, 1, 1); "
        "print(*(bench['multiply_adds'](models.get_model(name), one) / 1e9 for name in ('resnet50', 'convnext_tiny')))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert [float(word) for word in done.stdout.split()] == pytest.approx([4.09, 4.46], abs=0.01)

from __future__ import annotations

import json
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

from transfer_core.advice import computer
from transfer_core.advice.computer import Gpu, Torch, parse_build, parse_gpus, torch_problems

GIB = 1024**3


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TRANSFER_STUDIO_HOME", str(tmp_path / "home"))
    yield


def test_describe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(computer, "_weights", lambda: ["starter", "resnet18"])
    described = computer.describe()
    assert described.cores >= 1
    assert 0 < described.memory_free <= described.memory_bytes and described.disk_free > 0
    assert described.versions["pillow"] and described.versions["torch"]
    assert json.loads(json.dumps(described.as_data()))["weights"] == ["starter", "resnet18"]


def test_torch_is_not_imported() -> None:
    code = (
        "import sys; from transfer_core.advice import computer; computer._weights = list; computer.describe();"
        "sys.exit('torch' in sys.modules or 'torchvision' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2]).returncode == 0


def test_gpus() -> None:
    text = "NVIDIA H100 80GB HBM3, 81559\nNVIDIA GB10, [N/A]\n\n"
    assert parse_gpus(text) == [Gpu("NVIDIA H100 80GB HBM3", 81559 * 1024**2), Gpu("NVIDIA GB10", 0)]


@pytest.mark.parametrize(
    "error", [FileNotFoundError(), subprocess.TimeoutExpired("nvidia-smi", 5), subprocess.CalledProcessError(9, "x")]
)
def test_no_gpu_where_nobody_answers(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: (_ for _ in ()).throw(error))
    assert computer._gpus() == []


TORCH = "from typing import Optional\n__version__ = '{version}'\ndebug = False\ncuda: Optional[str] = {cuda}\ngit_version = 'x'\n"


@pytest.mark.parametrize(
    ("version", "cuda", "expected"),
    [
        ("2.10.0+cpu", "None", Torch("2.10.0+cpu", False)),
        ("2.10.0+cu130", "'13.0'", Torch("2.10.0+cu130", True)),
        ("2.10.0", "'13.0'", Torch("2.10.0", True)),
        ("2.10.0", "None", Torch("2.10.0", False)),
    ],
)
def test_builds(version: str, cuda: str, expected: Torch) -> None:
    assert parse_build(TORCH.format(version=version, cuda=cuda), "2.10.0") == expected


def test_torchvision_says_it_only_in_its_version() -> None:
    text = "__version__ = '0.25.0'\nif _check_cuda_version() > 0:\n    cuda = _check_cuda_version()\n"
    assert parse_build(text, "0.25.0") == Torch("0.25.0", None)
    assert parse_build("", "0.25.0+cpu") == Torch("0.25.0+cpu", False)


@pytest.mark.parametrize(
    ("torch", "torchvision", "gpu", "says"),
    [
        (Torch("2.10.0+cpu", False), Torch("0.25.0+cpu", False), False, None),
        (Torch("2.10.0+cu130", True), Torch("0.25.0+cu130", True), True, None),
        (Torch("2.10.0+cpu", False), Torch("0.25.0", None), False, None),
        (Torch("2.10.0+cpu", False), Torch("0.25.0+cu130", True), False, "different devices"),
        (Torch("2.11.0+cpu", False), Torch("0.25.0+cpu", False), False, "belong together"),
        (Torch("2.10.0+cpu", False), Torch("0.25.0+cpu", False), True, "graphics card"),
        (None, Torch("0.25.0+cpu", False), True, None),
    ],
)
def test_torch_problems(torch: Torch | None, torchvision: Torch, gpu: bool, says: str | None) -> None:
    problems = list(torch_problems(torch, torchvision, gpu))
    assert len(problems) == (says is not None)
    if says:
        assert says in problems[0].message and "pip install" in problems[0].fix


def test_room_problems() -> None:
    assert list(computer.room_problems(100 * GIB, 8 * GIB)) == []
    assert len(list(computer.room_problems(1 * GIB, GIB // 2))) == 2


def test_weight_problems() -> None:
    assert list(computer.weight_problems(["starter", "resnet18"])) == []
    assert len(list(computer.weight_problems(["starter"]))) == 1
    assert len(list(computer.weight_problems([]))) == 1


def test_missing_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [problem.message for problem in computer.missing_packages({"torch": None, "pillow": "13"})] == [
        "The package torch is not installed."
    ]


def test_weights_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = types.ModuleType("transfer_core.backbones.weights")
    kept = [types.SimpleNamespace(backbone=name) for name in ("starter", "resnet18", "resnet18")]
    weights.kept_weights = lambda: kept  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, weights.__name__, weights)
    assert computer._weights() == ["starter", "resnet18"]

"""`backbones` lists the whole catalogue without loading torch, and says which licences forbid commercial use."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from transfer_core.backbones.catalogue import catalogue
from transfer_core.cli import main

Answer = Callable[..., tuple[int, Any]]
ROOT = Path(__file__).parents[2]
KEYS = {
    *("name", "title", "family", "weights", "accuracy", "parameters", "multiply_adds"),
    *("crop", "file_size", "licence", "non_commercial", "here"),
}


def test_the_catalogue_as_data(answer: Answer) -> None:
    code, data = answer("backbones")
    assert code == 0
    assert [each["name"] for each in data] == list(catalogue())
    assert all(each.keys() == KEYS for each in data)
    by_name = {each["name"]: each for each in data}
    assert by_name["starter"]["here"] and not by_name["resnet50"]["here"]
    assert by_name["resnet50"]["weights"] == "IMAGENET1K_V2" and by_name["resnet50"]["accuracy"] == pytest.approx(80.858)
    assert by_name["vit_h_14"]["non_commercial"] and not by_name["vit_b_16"]["non_commercial"]


def test_the_catalogue_as_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backbones"]) == 0
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert len(lines) == 1 + len(catalogue())
    assert lines[0].split()[:2] == ["name", "weights"]
    resnet = next(line for line in lines if line.startswith("resnet50 "))
    assert "IMAGENET1K_V2" in resnet and "80.9 %" in resnet and "25.6 M" in resnet and "103 MB" in resnet
    assert "! https" in next(line for line in lines if line.startswith("vit_h_14 "))
    assert "forbid commercial use" in captured.err


@pytest.mark.parametrize("arguments", [["backbones", "--json"], ["weights", "list"], ["weights", "remove", "resnet50"]])
def test_torch_is_not_loaded(arguments: list[str]) -> None:
    code = (
        f"import sys; from transfer_core.cli import main; main({arguments}); "
        "print([name for name in ('torch', 'torchvision', 'onnxruntime') if name in sys.modules], file=sys.stderr)"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert result.stderr.splitlines()[-1] == "[]", result.stderr

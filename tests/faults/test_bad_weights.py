"""Weights files that are broken, of another network, or that would run code: refused by name, nothing run."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from torchvision import models

from tests.faults.conftest import Command


class Hostile:
    """Unpickled, it leaves a mark."""

    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self) -> Any:
        return (open, (str(self.mark), "w"))


def train(command: Command, folder: Path, file: Path) -> dict[str, Any]:
    code, answer = command("train", folder, "--backbone", "mobilenet_v3_small", "--weights", file)
    assert code == 2
    assert str(file) in answer["error"]["message"] + str(answer["error"]["file"])
    assert answer["error"]["fix"]
    error: dict[str, Any] = answer["error"]
    return error


def test_truncated(pictures: Any, weights: Path, tmp_path: Path, command: Command) -> None:
    """The first part of a download is refused as such."""
    file = tmp_path / "cut.pth"
    file.write_bytes(weights.read_bytes()[:500_000])
    assert train(command, pictures(count=3), file)["code"] == "weights-truncated"


def test_real_truncated(shared: Path, pictures: Any, command: Command) -> None:
    """So is the one that lies among the real weights."""
    file = shared / "weights" / "resnet18-f37072fd.truncated.pth"
    code, answer = command("train", pictures(count=3), "--backbone", "resnet18", "--weights", file)
    assert (code, answer["error"]["code"]) == (2, "weights-truncated")


def test_other_architecture(pictures: Any, tmp_path: Path, command: Command) -> None:
    """The weights of another network are refused, and the network they fit is named."""
    file = tmp_path / "squeezenet.pth"
    torch.save(models.squeezenet1_1(weights=None).state_dict(), file)
    error = train(command, pictures(count=3), file)
    assert error["code"] == "weights-mismatch"
    assert "squeezenet1_1" in error["message"] + error["fix"]


@pytest.mark.parametrize("protocol", [2, 4])
def test_pickle_that_would_run_code(protocol: int, pictures: Any, tmp_path: Path, command: Command) -> None:
    """A hostile file is refused without its code being run."""
    mark, file = tmp_path / "mark", tmp_path / "hostile.pth"
    file.write_bytes(pickle.dumps({"features.0.0.weight": Hostile(mark)}, protocol=protocol))
    error = train(command, pictures(count=3), file)
    assert error["code"].startswith("weights-")
    assert not mark.exists()


def test_hostile_archive(pictures: Any, tmp_path: Path, command: Command) -> None:
    """The same inside torch's own archive format."""
    mark, file = tmp_path / "mark", tmp_path / "hostile.pth"
    torch.save({"features.0.0.weight": Hostile(mark)}, file)
    assert train(command, pictures(count=3), file)["code"] == "weights-unsafe"
    assert not mark.exists()


@pytest.mark.parametrize("options", [("--check",), ("--backbone", "mobilenet_v3_small"), ()])
def test_hostile_file_added(options: tuple[str, ...], tmp_path: Path, command: Command) -> None:
    """Nor does the command that looks at files run anything."""
    mark, file = tmp_path / "mark", tmp_path / "hostile.pth"
    torch.save({"features.0.0.weight": Hostile(mark)}, file)
    code, answer = command("weights", "add", file, *options)
    assert (code, answer["error"]["code"]) == (2, "weights-unsafe")
    assert not mark.exists()


def test_deeper_network(pictures: Any, tmp_path: Path, command: Command) -> None:
    """A resnet34 has everything that a resnet18 has, and must not pass for one."""
    file = tmp_path / "resnet34.pth"
    torch.save(models.resnet34(weights=None).state_dict(), file)
    code, answer = command("train", pictures(count=3), "--backbone", "resnet18", "--weights", file)
    assert (code, answer["error"]["code"]) == (2, "weights-mismatch")
    assert "resnet34" in answer["error"]["fix"]

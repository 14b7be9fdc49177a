"""Checkpoints, written whole: safetensors for tensors, JSON for the rest. The JSON names the tensors that belong to it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from transfer_core.errors import RunError
from transfer_core.files import read_json, write_bytes, write_json

SCHEMA = 1
LAST = "last.json"


@dataclass(frozen=True)
class Checkpoint:
    """All the state of the loop after an epoch: `tensors` of the model and the optimiser, `values` of everything else."""

    epoch: int
    step: int
    tensors: dict[str, Tensor]
    values: dict[str, Any]


def save(folder: Path, checkpoint: Checkpoint, best: bool) -> None:
    """Write `checkpoint` as the last one and, if told so, as the best. Killed at any instant, the one before stays whole."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"epoch-{checkpoint.epoch}.safetensors"
    write_bytes(folder / name, safetensors.torch.save(checkpoint.tensors))
    before = read_json(folder / LAST, RunError) if (folder / LAST).exists() else {}
    record = {
        "schema": SCHEMA,
        "epoch": checkpoint.epoch,
        "step": checkpoint.step,
        "tensors": name,
        "best": name if best else before.get("best", name),
        "values": checkpoint.values,
    }
    write_json(folder / LAST, record)
    for file in folder.glob("epoch-*.safetensors"):
        if file.name not in (record["tensors"], record["best"]):
            file.unlink()


def load_last(folder: Path) -> Checkpoint | None:
    """The last checkpoint in `folder`, or None before the first."""
    if not (folder / LAST).exists():
        return None
    record = read_json(folder / LAST, RunError)
    tensors = safetensors.torch.load_file(folder / record["tensors"])
    return Checkpoint(record["epoch"], record["step"], tensors, record["values"])


def load_best(folder: Path) -> dict[str, Tensor]:
    """The tensors of the best checkpoint; raises RunError before the first."""
    record = read_json(folder / LAST, RunError)
    return safetensors.torch.load_file(folder / record["best"])


def last_step(run_folder: Path) -> int:
    """The optimiser step that a resumed run goes on from: 0 before the first checkpoint."""
    file = run_folder / "checkpoint" / LAST
    return int(read_json(file, RunError)["step"]) if file.exists() else 0

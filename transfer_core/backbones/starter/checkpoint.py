"""What the starter's training writes: a checkpoint to go on from, and the finished parameters. Tensors and JSON only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from transfer_core.errors import WeightsError
from transfer_core.files import write_bytes

Record = dict[str, Any]  # settings and digests, as JSON has them


def save_checkpoint(path: Path, tensors: dict[str, Tensor], step: int, record: Record) -> None:
    """One safetensors file with the state as JSON in its header: two files could be parted by a kill between them."""
    state = json.dumps(record | {"step": step}, sort_keys=True)
    write_bytes(path, save({name: each.contiguous() for name, each in tensors.items()}, {"state": state}))


def read_checkpoint(path: Path, record: Record | None) -> tuple[dict[str, Tensor], int, Record]:
    """Tensors, step and record; raises WeightsError if the checkpoint belongs to a training with another `record`."""
    with safe_open(path, "pt") as file:
        found: Record = json.loads(file.metadata()["state"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dictionary
    step = int(found.pop("step"))
    if record is not None and found != record:
        different = sorted(key for key in record.keys() | found.keys() if found.get(key) != record.get(key))
        raise WeightsError(
            f"{path} belongs to another training: {', '.join(different)} differ.",
            file=path,
            fix="Give the same teacher, pool, seed, steps, start, device and threads as before, or remove the file to start again.",
        )
    return tensors, step, found


def read_features(path: Path) -> dict[str, Tensor]:
    """A starter's parameters as the features of a network have them, in float32; batch counters stay integers."""
    tensors = load_file(path)
    return {
        name.removeprefix("features."): tensor.float() if tensor.is_floating_point() else tensor
        for name, tensor in tensors.items()
    }


def read_record(path: Path) -> Record:
    """How a starter was made, as its file says."""
    with safe_open(path, "pt") as file:
        made: Record = json.loads(file.metadata()["recipe"])
    return made


def pictures_shown(path: Path) -> int:
    """How many pictures a starter's training showed it, those that it went on from included."""
    made = read_record(path)
    return int(made["settings"]["steps"] * made["settings"]["batch"] + made.get("start", {}).get("shown", 0))


def save_starter(path: Path, features: nn.Module, record: Record) -> None:
    """Parameters and BatchNorm statistics as float16, under torchvision's names; batch counters stay integers."""
    tensors = {}
    for name, tensor in features.state_dict().items():
        kept = tensor.half() if tensor.is_floating_point() else tensor
        if not torch.isfinite(kept.float()).all():
            raise WeightsError(f"features.{name} does not fit float16.", fix="Train again with a lower learning rate.")
        tensors[f"features.{name}"] = kept.contiguous()
    # One entry only: safetensors writes several in an order that changes from call to call.
    made = {"architecture": "mobilenet_v3_small.features"} | record
    write_bytes(path, save(tensors, {"recipe": json.dumps(made, sort_keys=True)}))

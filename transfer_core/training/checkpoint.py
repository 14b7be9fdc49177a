"""Checkpoints, written whole: safetensors for tensors, JSON for the rest. The JSON names the tensors that belong to it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from transfer_core.errors import RunError
from transfer_core.files import read_json, write_bytes, write_json
from transfer_core.i18n import _

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
    before = _record(folder)
    record = {
        "schema": SCHEMA,
        "epoch": checkpoint.epoch,
        "step": checkpoint.step,
        "tensors": name,
        "best": name if best or before is None else before["best"],
        "values": checkpoint.values,
    }
    write_json(folder / LAST, record)
    # Tensors that no record names any more, and what a process that was killed while it wrote left half written.
    for file in [*folder.glob("epoch-*.safetensors"), *folder.glob(".*.partial")]:
        if file.name not in (record["tensors"], record["best"]):
            file.unlink(missing_ok=True)


def load_last(folder: Path) -> Checkpoint | None:
    """The last checkpoint in `folder`, or None before the first; raises RunError when it is damaged."""
    record = _record(folder)
    if record is None:
        return None
    return Checkpoint(record["epoch"], record["step"], _tensors(folder / record["tensors"]), record["values"])


def load_best(folder: Path) -> dict[str, Tensor]:
    """The tensors of the best checkpoint; raises RunError before the first and when they are damaged."""
    record = _record(folder)
    if record is None:
        raise _damaged(folder / LAST, _("it is missing"))
    return _tensors(folder / record["best"])


def last_step(run_folder: Path) -> int:
    """The optimiser step that a resumed run goes on from: 0 before the first checkpoint."""
    record = _record(run_folder / "checkpoint")
    return int(record["step"]) if record else 0


def _record(folder: Path) -> dict[str, Any] | None:
    """What `last.json` says, checked; None where there is none."""
    file = folder / LAST
    if not file.exists():
        return None
    record = read_json(file, RunError)
    try:
        kinds = {"schema": int, "epoch": int, "step": int, "tensors": str, "best": str, "values": dict}
        wrong = [name for name, kind in kinds.items() if not isinstance(record[name], kind)]
        # A name and not a path: what lies elsewhere is not ours to read.
        wrong += [name for name in ("tensors", "best") if Path(record[name]).name != record[name]]
    except (KeyError, TypeError) as error:
        raise _damaged(file, str(error)) from error
    if wrong or record["schema"] > SCHEMA:
        raise _damaged(file, ", ".join(wrong) or _("a newer version of this program wrote it"))
    return dict(record)


def _tensors(file: Path) -> dict[str, Tensor]:
    try:
        return safetensors.torch.load_file(file)
    except (OSError, safetensors.SafetensorError) as error:
        raise _damaged(file, str(error)) from error


def _damaged(file: Path, reason: str) -> RunError:
    return RunError(
        _("The checkpoint {file} can't be read: {reason}.").format(file=file, reason=reason),
        code="broken-checkpoint",
        file=file,
        fix=_("Start a new run with the same settings."),
    )

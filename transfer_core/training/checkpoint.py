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

SCHEMA = 2
LAST = "last.json"


@dataclass(frozen=True)
class Checkpoint:
    """All the state of the loop after a step: `tensors` of the model and the optimiser, `values` of everything else."""

    epoch: int  # how many are finished
    step: int  # as events tell it
    tensors: dict[str, Tensor]
    values: dict[str, Any]


def save(folder: Path, checkpoint: Checkpoint, best: bool, good: bool = True) -> None:
    """Write `checkpoint` as the last one and, if told so, as the best, and as the good one that is gone back to from a broken loss.

    Killed at any instant, the one before stays whole. The first is all three.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # After a broken loss the same steps are made again, at another rate: their tensors must not take the place of those a record names.
    again = "-slower" if checkpoint.values.get("slower", 1.0) < 1 else ""
    name = f"step-{checkpoint.step}{again}.safetensors"
    write_bytes(folder / name, safetensors.torch.save(checkpoint.tensors))
    before = _record(folder)
    parts = {"epoch": checkpoint.epoch, "step": checkpoint.step, "tensors": name, "values": checkpoint.values}
    record: dict[str, Any] = {
        "schema": SCHEMA,
        **parts,
        "best": name if best or before is None else before["best"],
        "good": parts if good or before is None else before["good"],
    }
    write_json(folder / LAST, record)
    # Tensors that no record names any more, and what a process that was killed while it wrote left half written.
    for file in [*folder.glob("*.safetensors"), *folder.glob(".*.partial")]:
        if file.name not in (record["tensors"], record["best"], record["good"]["tensors"]):
            file.unlink(missing_ok=True)


def load_last(folder: Path) -> Checkpoint | None:
    """The last checkpoint in `folder`, or None before the first; raises RunError when it is damaged."""
    record = _record(folder)
    return None if record is None else _checkpoint(folder, record)


def load_good(folder: Path) -> Checkpoint:
    """The last checkpoint that was whole and good: that of the last finished epoch, or of the start; raises RunError."""
    record = _record(folder)
    if record is None:
        raise _damaged(folder / LAST, _("it is missing"))
    return _checkpoint(folder, record["good"])


def load_best(folder: Path) -> dict[str, Tensor]:
    """The tensors of the best checkpoint; raises RunError before the first and when they are damaged."""
    record = _record(folder)
    if record is None:
        raise _damaged(folder / LAST, _("it is missing"))
    return _tensors(folder / record["best"])


def last_step(run_folder: Path) -> int:
    """The optimiser step that a resumed run goes on from, in whichever of its trainings: 0 before the first checkpoint."""
    records = (_record(file.parent) for file in (run_folder / "checkpoint").rglob(LAST))
    return max((int(record["step"]) for record in records if record), default=0)


def _record(folder: Path) -> dict[str, Any] | None:
    """What `last.json` says, checked; None where there is none."""
    file = folder / LAST
    if not file.exists():
        return None
    record = read_json(file, RunError)
    try:
        kinds = {"schema": int, "epoch": int, "step": int, "tensors": str, "best": str, "values": dict}
        wrong = [name for name, kind in kinds.items() if not isinstance(record[name], kind)]
        good = record["good"] if record["schema"] > 1 else record
        # A name and not a path: what lies elsewhere is not ours to read.
        names = {"tensors": record["tensors"], "best": record["best"], "good": good["tensors"]}
        wrong += [name for name, file_name in names.items() if Path(file_name).name != file_name]
    except (KeyError, TypeError) as error:
        raise _damaged(file, str(error)) from error
    if wrong or record["schema"] > SCHEMA:
        raise _damaged(file, ", ".join(wrong) or _("a newer version of this program wrote it"))
    return _of_earlier_versions(dict(record))


def _of_earlier_versions(record: dict[str, Any]) -> dict[str, Any]:
    """A record as this version has it: the first wrote one after every epoch, and nothing in between."""
    if record["schema"] < 2:
        parts = {name: record[name] for name in ("epoch", "step", "tensors", "values")}
        record["values"]["step"] = record["values"].get("scheduler", record["step"])
        record |= {"schema": SCHEMA, "good": parts}
    return record


def _checkpoint(folder: Path, parts: dict[str, Any]) -> Checkpoint:
    return Checkpoint(parts["epoch"], parts["step"], _tensors(folder / parts["tensors"]), dict(parts["values"]))


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

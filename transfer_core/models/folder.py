"""The model folder: what a run leaves, what every tool of ours answers from."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from transfer_core import __version__
from transfer_core.errors import ModelError, newer_schema, storage_error
from transfer_core.files import read_json, sync_folder, write_json, write_text
from transfer_core.i18n import _
from transfer_core.images.view import View
from transfer_core.models.card import model_card

SCHEMA = 1
GRAPH = "model.onnx"
PARAMETERS = "model.safetensors"


@dataclass(frozen=True)
class Model:
    """What `model.json` says. Scores are `{"accuracy", "low", "high", "count"}` or None."""

    folder: Path
    classes: list[str]
    backbone: dict[str, Any]
    head: dict[str, Any]
    view: View
    calibration: dict[str, Any]
    refusal: dict[str, Any]
    scores: dict[str, Any]
    provenance: dict[str, Any] = field(default_factory=dict)
    adapter: dict[str, Any] = field(default_factory=lambda: {"kind": "identity"})
    graph: str | None = GRAPH  # None where the network is too large for a graph in one file, and torch answers

    @classmethod
    def read(cls, folder: Path) -> Model:
        """The model in `folder`, or in `folder/model` of a run; raises ModelError saying what is wrong with it."""
        folder = Path(folder)
        if not (folder / "model.json").exists() and (folder / "model" / "model.json").exists():
            folder = folder / "model"
        if not (folder / "model.json").exists():
            raise ModelError(
                _("{folder} is not a model folder.").format(folder=folder),
                code="not-a-model",
                file=folder,
                fix=_("Choose the folder named model inside a finished run, or one that was downloaded from the Try page."),
            )
        data = read_json(folder / "model.json", ModelError)
        try:
            if data["schema"] > SCHEMA:
                raise newer_schema(ModelError, folder / "model.json")
            view = View(data["preprocessing"]["crop"], data["preprocessing"]["resize"])
            _check(data)
            newer = {name: data[name] for name in _SINCE if name in data}
            model = cls(folder, view=view, **{name: data[name] for name in _PLAIN}, **newer)
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(
                _("{file} is damaged: {reason}.").format(file=folder / "model.json", reason=error), file=folder / "model.json"
            ) from error
        needed = folder / (GRAPH if model.graph else PARAMETERS)
        if not needed.exists():
            raise ModelError(_("{file} is missing.").format(file=needed), file=needed)
        return model

    def write(self) -> None:
        """Write `model.json` and the model card."""
        data = {
            "schema": SCHEMA,
            "program": f"transfer-studio {__version__}",
            "preprocessing": asdict(self.view)
            | {
                "definition": self.view.key,
                "input": "uint8 RGB, [n, crop, crop, 3], upright",
                "steps": "centred square of the short side; antialiased bilinear resize to `resize`; central `crop`",
            },
            **{name: getattr(self, name) for name in (*_PLAIN, *_SINCE)},
        }
        write_json(self.folder / "model.json", data)
        write_text(self.folder / "README.md", model_card(data))


_PLAIN = ("classes", "backbone", "head", "calibration", "refusal", "scores", "provenance")
_SINCE = ("adapter", "graph")  # fields that models of earlier versions don't have


def _check(data: dict[str, Any]) -> None:
    """Raise ValueError naming the field that no answer could be given with."""
    if not data["classes"] or not isinstance(data["classes"], list) or not all(isinstance(name, str) for name in data["classes"]):
        raise ValueError("classes")
    for name in _PLAIN[1:]:
        if not isinstance(data[name], dict):
            raise ValueError(name)
    if not isinstance(data["refusal"].get("threshold"), int | float):
        raise ValueError("refusal.threshold")


def write_model_folder(target: Path, fill: Callable[[Path], None]) -> None:
    """Let `fill(folder)` write a model, then put it at `target` whole: readers see the old folder, none, or the new one."""
    building = target.with_name(f".{target.name}.partial")
    shutil.rmtree(building, ignore_errors=True)
    try:
        building.mkdir(parents=True)
        fill(building)
        if target.exists():
            old = target.with_name(f".{target.name}.old")
            shutil.rmtree(old, ignore_errors=True)
            target.rename(old)
            try:
                building.rename(target)
            except OSError:
                old.rename(target)
                raise
            shutil.rmtree(old, ignore_errors=True)
        else:
            building.rename(target)
        sync_folder(target.parent)
    except OSError as error:
        raise storage_error(error, target) from error
    finally:
        shutil.rmtree(building, ignore_errors=True)


def this_program() -> dict[str, str]:
    """Which versions made a model, for its provenance."""
    return {"transfer_studio": __version__, "python": platform.python_version(), "system": platform.system()}

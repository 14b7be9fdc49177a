"""All there is to start from, as rows: published backbones, timm's, the user's own files, and models trained here. No torch.

Made anew only when a file behind it changed, so that a page may ask for it on every draw.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

from transfer_core.advice.activations import activations
from transfer_core.advice.front import undominated
from transfer_core.advice.speed import Measurement, Work, measurements, speed, speeds_file
from transfer_core.backbones.catalogue import BackboneInfo, catalogue, timm_file
from transfer_core.backbones.weights import KeptWeights, digest_of_source, is_published, kept_weights
from transfer_core.errors import TransferError
from transfer_core.files import digest_of, read_json
from transfer_core.models.folder import PARAMETERS
from transfer_core.places import home, weights_folder
from transfer_core.processes import usable_cores

Origin = Literal["published", "timm", "file", "trained"]
FROZEN_BATCH, TRAINING_BATCH = 16, 32
# Bytes of the libraries alone, with ONNX Runtime and with torch; measured like the two below, with MobileNetV2, SqueezeNet and ResNet-18.
FROZEN_BASE, TRAINING_BASE = 150e6, 600e6
AT_ONCE = 0.1  # the share of a network's activations that a frozen pass holds at a time
SAVED = 1.15  # numbers that training keeps for each activation


@dataclass(frozen=True)
class Listed:
    """Something to start from: a network with one set of weights.

    `weights` is what a run's setting of that name has to say, None for what the backbone's name means alone. `source` says whose
    weights they are: a file's name, or the project and the run they were trained in. `seconds` is one frozen pass over the pictures
    asked about; memory is in bytes, of a frozen pass and of training all of it, and an estimate.
    """

    info: BackboneInfo
    origin: Origin
    kept: KeptWeights | None
    weights: str | None
    source: str
    accuracy: float | None  # published, percent; None where nobody measured these very weights
    seconds: float
    measured: bool
    file_size: int
    here: bool
    on_front: bool = False
    must_come_first: bool = False  # its name alone means other weights as long as these are not here

    @property
    def key(self) -> str:
        """What no other row has."""
        return f"{self.origin}-{self.info.name}" + (
            f"-{self.weights or self.source}" if self.origin in ("file", "trained") else ""
        )

    @property
    def non_commercial(self) -> bool:
        """Whether the licence forbids commercial use; what the user brings or trains is the user's."""
        return self.origin in ("published", "timm") and self.info.non_commercial

    @property
    def frozen_memory(self) -> float:
        """Bytes that the quick plan takes."""
        return FROZEN_BASE + 8 * self.info.parameters + 4 * FROZEN_BATCH * AT_ONCE * activations(self.info)

    @property
    def training_memory(self) -> float:
        """Bytes that training all stages takes: parameters, gradients, two moments each, and activations of a batch."""
        return TRAINING_BASE + 16 * self.info.parameters + 4 * TRAINING_BATCH * SAVED * activations(self.info)


def listing(pictures: int, threads: int = 0) -> list[Listed]:
    """Everything to start from, with the time of `pictures` pictures on this computer: mine first, then the catalogue in its order."""
    return list(_listed(pictures, threads or usable_cores(), _stamp()))


def front(rows: Iterable[Listed]) -> list[Listed]:
    """Those that no other beats in both accuracy and time, the fastest first, among what may be recommended."""
    recommendable = [row for row in rows if row.accuracy is not None and row.info.may_be_recommended]
    return undominated(recommendable, lambda row: row.seconds, lambda row: row.accuracy or 0.0)


def setting_for(backbone: str, digest: str | None) -> str | None:
    """What the setting `weights` has to say for a run to start from the kept weights with this digest."""
    kept = next((kept for kept in kept_weights(backbone) if kept.digest == digest), None)
    info = catalogue().get(backbone)
    return str(kept.file) if kept and info and not is_published(info, kept) else None


class _Stamp(NamedTuple):
    """When what the rows are made from last changed."""

    timm: tuple[str, int] | None
    weights: tuple[tuple[str, int], ...]
    models: tuple[tuple[str, int], ...]
    speeds: tuple[str, int] | None


def _stamp() -> _Stamp:
    timm = timm_file()
    weights = sorted(filter(None, (_changed(file) for file in weights_folder().glob("*.json"))))
    models = sorted(filter(None, (_changed(file) for file in _model_files())))
    return _Stamp(_changed(timm) if timm else None, tuple(weights), tuple(models), _changed(speeds_file()))


def _changed(file: Path) -> tuple[str, int] | None:
    try:
        return str(file), file.stat().st_mtime_ns
    except OSError:
        return None


def _model_files() -> Iterator[Path]:
    """What could be the description of a model that was trained here, there or not."""
    for project in _folders(home()):
        for run in _folders(project / "runs"):
            yield run / "model" / "model.json"


def _folders(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return [Path(entry.path) for entry in entries if not entry.name.startswith(".") and entry.is_dir()]
    except OSError:
        return []


@lru_cache(16)
def _listed(pictures: int, threads: int, stamp: _Stamp) -> tuple[Listed, ...]:
    known, speeds = catalogue(), measurements()
    kept: dict[str, list[KeptWeights]] = {}
    for each in kept_weights():
        kept.setdefault(each.backbone, []).append(each)
    trained = [row for file, changed in stamp.models if (row := _trained(file, changed, known))]
    rows = [*trained, *_files(known, trained), *(_published(info, kept.get(name, [])) for name, info in known.items())]
    timed = [_timed(row, pictures, threads, speeds) for row in rows]
    on_front = {id(row) for row in front(timed)}
    return tuple(replace(row, on_front=True) if id(row) in on_front else row for row in timed)


def _timed(row: Listed, pictures: int, threads: int, speeds: Sequence[Measurement]) -> Listed:
    info = row.info
    found = speed(Work(info.name, info.family, info.crop, max(info.multiply_adds, 1e-6)), threads, speeds)
    return replace(row, seconds=pictures / found.images_per_second, measured=found.measured)


def _published(info: BackboneInfo, of_it: Sequence[KeptWeights]) -> Listed:
    here = next((kept for kept in of_it if is_published(info, kept)), None)
    return Listed(
        info=info,
        origin="timm" if info.family == "timm" else "published",
        kept=here,
        weights=None,
        source="",
        accuracy=info.accuracy,
        seconds=0.0,
        measured=False,
        file_size=info.file_size,
        here=here is not None,
        must_come_first=bool(of_it) and here is None,
    )


def _files(known: dict[str, BackboneInfo], trained: Sequence[Listed]) -> Iterator[Listed]:
    """The user's own weights that are kept; not those that were taken from a model which is listed itself."""
    for kept in kept_weights():
        info = known.get(kept.backbone)
        if info is None or is_published(info, kept) or _is_of(kept, trained):
            continue
        yield Listed(info, "file", kept, str(kept.file), kept.source, None, 0.0, False, kept.size, True)


def _is_of(kept: KeptWeights, trained: Sequence[Listed]) -> bool:
    """Whether the weights were taken from one of the models."""
    if kept.source not in (PARAMETERS, "model"):
        return False
    files = [row.weights for row in trained if row.info.name == kept.backbone and row.weights]
    return any(_digest(*changed) == digest_of_source(kept) for file in files if (changed := _changed(Path(file))))


@lru_cache(200)
def _digest(file: str, _changed: int) -> str:
    return digest_of(Path(file))


@lru_cache(1000)
def _described(file: str, _changed: int) -> dict[str, Any] | None:
    try:
        return dict(read_json(Path(file)))
    except (TransferError, TypeError, ValueError):
        return None


def _trained(file: str, changed: int, known: dict[str, BackboneInfo]) -> Listed | None:
    """A model that was trained here, where its backbone was trained too; one whose backbone stayed as it came adds nothing."""
    data = _described(file, changed)
    backbone = data.get("backbone") if data else None
    info = known.get(str(backbone.get("name"))) if isinstance(backbone, dict) and backbone.get("trained") is True else None
    parameters = Path(file).with_name(PARAMETERS)
    try:
        size = parameters.stat().st_size
    except OSError:
        return None
    if info is None:
        return None
    run = parameters.parents[1]
    return Listed(info, "trained", None, str(parameters), f"{run.parents[1].name}, {run.name}", None, 0.0, False, size, True)

"""How many pictures a second a backbone's graph manages on this computer: measured where it ran, predicted elsewhere. No torch.

Predicted means multiply-adds over the family's efficiency, corrected by what was measured here.
"""

from __future__ import annotations

import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from transfer_core.errors import TransferError
from transfer_core.features.extract import BATCH, Forward
from transfer_core.files import read_json, write_json
from transfer_core.places import own_folder

SCHEMA = 1
BATCHES = 4  # that are timed after one that is not, which plans memory and wakes the threads
# 10^9 multiply-adds a second on 2 threads in ONNX Runtime 1.32, batches of 16, AVX2: published networks of each family, measured in one
# process. Depthwise convolutions wait for memory, dense ones do not. Of families that were not measured, `KIN` names the most alike.
EFFICIENCY = {"mobilenetv2": 48.0, "mobilenetv3": 45.0, "resnet": 85.0, "regnet": 67.0, "efficientnet": 39.0, "convnext": 53.0}
KIN = {
    "alexnet": "resnet",
    "densenet": "regnet",
    "googlenet": "resnet",
    "inception": "resnet",
    "maxvit": "convnext",
    "mnasnet": "mobilenetv2",
    "shufflenetv2": "mobilenetv3",
    "squeezenet": "resnet",
    "swin_transformer": "convnext",
    "vgg": "resnet",
    "vision_transformer": "resnet",
}
EFFICIENCY_THREADS = 2


@dataclass(frozen=True)
class Work:
    """What one picture costs a backbone: `multiply_adds` in units of 10^9, at `size` pixels a side."""

    backbone: str
    family: str
    size: int
    multiply_adds: float


@dataclass(frozen=True)
class Speed:
    """Pictures a second through the frozen backbone, and whether that was measured on this computer or predicted."""

    images_per_second: float
    measured: bool


@dataclass(frozen=True)
class Measurement:
    """A speed that was measured: of which work, on how many threads of which processor."""

    backbone: str
    family: str
    size: int
    multiply_adds: float
    threads: int
    processor: str
    images_per_second: float

    @property
    def better_than_expected(self) -> float:
        """Measured over expected speed."""
        work = Work(self.backbone, self.family, self.size, self.multiply_adds)
        return self.images_per_second / _expected(work, self.threads)


def speed(work: Work, threads: int, known: Sequence[Measurement] | None = None) -> Speed:
    """The speed of `work` on `threads` threads of this computer's processor; `known` are `measurements()`, if they were read already."""
    here = [each for each in (measurements() if known is None else known) if each.processor == processor()]
    for each in here:
        if (each.backbone, each.size, each.threads) == (work.backbone, work.size, threads):
            return Speed(each.images_per_second, True)
    alike = (
        [each for each in here if each.backbone == work.backbone] or [each for each in here if each.family == work.family] or here
    )
    correction = statistics.median([each.better_than_expected for each in alike] or [1.0])
    return Speed(_expected(work, threads) * correction, False)


def _expected(work: Work, threads: int) -> float:
    family = KIN.get(work.family, work.family)
    efficiency = EFFICIENCY.get(family, min(EFFICIENCY.values()))
    return efficiency * threads / EFFICIENCY_THREADS / work.multiply_adds


def measure(forward: Forward, size: int) -> float:
    """Pictures a second of `forward` over a few batches of random pixels `[16, size, size, 3]`, the median batch counting."""
    pixels = np.random.default_rng(0).integers(0, 256, (BATCH, size, size, 3), dtype=np.uint8)
    forward(pixels)
    times = []
    for _batch in range(BATCHES):
        start = time.perf_counter()
        forward(pixels)
        times.append(time.perf_counter() - start)
    return BATCH / max(statistics.median(times), 1e-9)


def keep(work: Work, threads: int, images_per_second: float) -> None:
    """Remember a measured speed for this computer, in place of an earlier one; raises StorageError when the disk refuses."""
    new = Measurement(**asdict(work), threads=threads, processor=processor(), images_per_second=images_per_second)
    with FileLock(speeds_file().with_suffix(".lock")):
        others = [each for each in measurements() if _key(each) != _key(new)]
        write_json(speeds_file(), {"schema": SCHEMA, "speeds": [asdict(each) for each in [*others, new]]})


def measurements() -> list[Measurement]:
    """All that is kept, of other processors too: a home may move. A file that can't be read counts for nothing and is replaced."""
    try:
        data: Any = read_json(speeds_file())
        return [Measurement(**each) for each in data["speeds"]] if data["schema"] == SCHEMA else []
    except (TransferError, KeyError, TypeError):
        return []


def _key(measurement: Measurement) -> tuple[str, int, int, str]:
    return (measurement.backbone, measurement.size, measurement.threads, measurement.processor)


def speeds_file() -> Path:
    """Where they are kept, for all projects."""
    return own_folder("speeds") / "speeds.json"


@cache
def processor() -> str:
    """The processor's name, as the system has it."""
    if sys.platform == "linux":
        for line in _text(Path("/proc/cpuinfo")).splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    if sys.platform == "darwin":
        try:
            command = ["sysctl", "-n", "machdep.cpu.brand_string"]
            return subprocess.run(command, capture_output=True, text=True, check=True, timeout=5).stdout.strip()
        except (OSError, subprocess.SubprocessError):
            pass
    return platform.processor() or platform.machine()


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""

"""Figures beside their goals, printed and kept."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from transfer_core.places import VARIABLE

RESULTS = Path(__file__).parent / "results"
SHARED = Path(os.environ.get("TRANSFER_STUDIO_SHARED", Path(__file__).parents[2] / "shared"))


@dataclass(frozen=True)
class Figure:
    """A measured value and the most, or the least, that it may be."""

    name: str
    value: float
    goal: float | None = None
    at_least: bool = False
    unit: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None without one."""
        if self.goal is None:
            return None
        return self.value >= self.goal if self.at_least else self.value <= self.goal

    def __str__(self) -> str:
        goal = (
            ""
            if self.goal is None
            else f"   goal {'>=' if self.at_least else '<='} {self.goal:g}   {'met' if self.met else 'MISSED'}"
        )
        return f"{self.name:<68} {self.value:>9.3f} {self.unit:<4}{goal}"


class Report:
    """Collects the figures of a benchmark; prints each as it comes."""

    def __init__(self, name: str):
        self.name = name
        self.figures: list[Figure] = []
        self.details: dict[str, Any] = {}

    def add(self, name: str, value: float, goal: float | None = None, at_least: bool = False, unit: str = "") -> None:
        """Add a figure."""
        self.figures.append(Figure(name, value, goal, at_least, unit))
        print(self.figures[-1], flush=True)

    def go_on(self) -> None:
        """Begin with the details that earlier runs have kept."""
        file = RESULTS / f"{self.name}.json"
        if file.exists():
            self.details = json.loads(file.read_bytes())["details"]

    def keep(self) -> None:
        """Write `results/<name>.json`, with the machine the figures came from."""
        RESULTS.mkdir(exist_ok=True)
        data = {
            "benchmark": self.name,
            **origin(),
            "figures": [asdict(figure) | {"met": figure.met} for figure in self.figures],
            "details": self.details,
        }
        (RESULTS / f"{self.name}.json").write_text(json.dumps(data, indent=1) + "\n")


def origin() -> dict[str, Any]:
    """When and where a measurement was made."""
    return {"date": time.strftime("%Y-%m-%d"), "machine": machine()}


def machine() -> dict[str, Any]:
    """What the figures depend on: the processor, the cores and the versions."""
    model = platform.processor()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        model = next(
            (line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if line.startswith("model name")), model
        )
    versions = {name: metadata.version(name) for name in ("torch", "torchvision", "onnxruntime", "pillow", "streamlit")}
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
    } | versions


@contextmanager
def own_home(folder: Path) -> Iterator[None]:
    """Projects of the benchmark lie in `folder`."""
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = str(folder)
    try:
        yield
    finally:
        os.environ.pop(VARIABLE)
        if before is not None:
            os.environ[VARIABLE] = before

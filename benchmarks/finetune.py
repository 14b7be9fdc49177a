"""Training the network: accuracy of the plans against each other and against fastai, and the loop against the pure cost of its steps.

    python -m benchmarks.finetune [--accuracy] [--speed] [--seeds N] [--sets flowers5 ...] [--backbones mobilenet_v2 ...] [--fastai PYTHON]

Both parts without options. ImageNet weights of TRANSFER_STUDIO_SHARED, 2 threads, no setting touched. `--fastai` is a Python that has
fastai installed. Ratios of times come from one run on a quiet machine.
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
from collections.abc import Callable
from math import comb
from pathlib import Path
from statistics import mean, median
from typing import Any

from benchmarks.figures import SHARED, Report, own_home

SETS = ("hymenoptera", "flowers5", "plantvillage_apple", "sign_digits")
WEIGHTS = {"mobilenet_v2": "mobilenet_v2-imagenet.pth", "squeezenet1_1": "squeezenet1_1-imagenet.pth"}
THREADS = 2
NETWORKS = ("mobilenet_v2", "regnet_y_800mf", "resnet18", "convnext_tiny")
BATCH = 32
ROUNDS = 5


def main(arguments: list[str]) -> Report:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(prog="benchmarks.finetune")
    parser.add_argument("--accuracy", action="store_true")
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--backbones", nargs="+", default=list(WEIGHTS))
    parser.add_argument("--fastai")
    options = parser.parse_args(arguments)
    report = Report("finetune")
    both = not (options.accuracy or options.speed)
    with tempfile.TemporaryDirectory() as folder:
        if options.speed or both:
            measure_speed(report, Path(folder) / "speed")
        if options.accuracy or both:
            for backbone in options.backbones:
                measure_accuracy(report, Path(folder), backbone, options.sets, options.seeds, options.fastai)
    report.keep()
    return report


def run(data: Path, home: Path, backbone: str, plan: str, seed: int) -> tuple[dict[str, Any], list[bool]]:
    """A training's report, and for each test picture whether it was right."""
    command = [sys.executable, "-m", "transfer_core.cli", "train", str(data), "--backbone", backbone, "--plan", plan, "--json"]
    command += ["--weights", str(SHARED / "weights" / WEIGHTS[backbone]), "--threads", str(THREADS), "--seed", str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"TRANSFER_STUDIO_HOME": str(home)})
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if "error" in report:
        raise SystemExit(f"{data}: {report['error']}")
    answers = [json.loads(line) for line in (Path(report["run"]) / "answers.jsonl").read_text(encoding="utf-8").splitlines()]
    tested = [each for each in answers if each["split"] == "test"]
    said = [report["classes"][max(range(len(each["probabilities"])), key=each["probabilities"].__getitem__)] for each in tested]
    return report, [word == each["label"] for word, each in zip(said, tested, strict=True)]


def fastai(python: str, data: Path, backbone: str, seed: int, frozen_norms: bool) -> dict[str, Any]:
    """fastai's accuracy and seconds on the same pictures, weights and threads."""
    command = [python, str(SHARED / "peers" / "run_peer.py"), "fastai", str(data), "--backbone", backbone, "--seed", str(seed)]
    command += ["--weights", str(SHARED / "weights" / WEIGHTS[backbone]), "--threads", str(THREADS)]
    done = subprocess.run(command + ["--freeze-bn"] * frozen_norms, capture_output=True, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def measure_accuracy(report: Report, folder: Path, backbone: str, sets: list[str], seeds: int, python: str | None) -> None:
    """Mean test accuracy and time over sets and seeds; on no set may the plan be significantly below quick."""
    accuracy: dict[str, list[float]] = {"quick": [], "better": [], "fastai": [], "fastai, norms frozen": []}
    seconds: dict[str, list[float]] = {name: [] for name in accuracy}
    for name in sets:
        data, won, lost = SHARED / "data" / name, 0, 0
        for seed in range(seeds):
            # A home each: nothing that another plan or seed has kept makes a run faster. The graph is made once a computer.
            home, made_once = folder / f"{backbone} {name} {seed}", folder / f"{backbone} graph"
            if made_once.exists():
                shutil.copytree(made_once, home / ".studio" / "weights")
            quick, quick_right = run(data, home, backbone, "quick", seed)
            shutil.rmtree(next(path for path in home.iterdir() if path.is_dir() and not path.name.startswith(".")))
            if not made_once.exists():
                shutil.copytree(home / ".studio" / "weights", made_once)
            better, better_right = run(data, home, backbone, "better", seed)
            won += sum(b and not q for q, b in zip(quick_right, better_right, strict=True))
            lost += sum(q and not b for q, b in zip(quick_right, better_right, strict=True))
            made = {"quick": quick, "better": better}
            for plan, each in made.items():
                accuracy[plan].append(each["test"]["accuracy"])
                seconds[plan].append(each["seconds"]["total"])
            line: dict[str, Any] = {plan: [each["test"]["accuracy"], each["seconds"]["total"]] for plan, each in made.items()}
            for frozen in (False, True) if python and backbone != "squeezenet1_1" else (False,) if python else ():
                peer = fastai(str(python), data, backbone, seed, frozen)
                way = "fastai, norms frozen" if frozen else "fastai"
                accuracy[way].append(peer["accuracy"])
                seconds[way].append(peer["seconds"])
                line[way] = [peer["accuracy"], peer["seconds"]]
            report.details[f"{backbone} {name} {seed}"] = line
            print(f"  {backbone} {name} {seed}: {line}", flush=True)
            shutil.rmtree(home)
        report.add(f"{backbone}, {name}: better won {won}, lost {lost}; p of no worse", not_worse(won, lost), 0.05, at_least=True)
    report.add(f"{backbone}: quick, mean test accuracy", mean(accuracy["quick"]))
    report.add(f"{backbone}: better, mean test accuracy", mean(accuracy["better"]))
    report.add(f"{backbone}: better above quick, points", 100 * (mean(accuracy["better"]) - mean(accuracy["quick"])), 1.0, True)
    peers = [way for way in ("fastai", "fastai, norms frozen") if accuracy[way]]
    if peers:
        best = max(peers, key=lambda way: mean(accuracy[way]))
        report.add(f"{backbone}: {best}, mean test accuracy", mean(accuracy[best]))
        report.add(f"{backbone}: better above {best}, points", 100 * (mean(accuracy["better"]) - mean(accuracy[best])), 2.0, True)
        report.add(f"{backbone}: time of better / {best}", sum(seconds["better"]) / sum(seconds[best]), 0.25)


def not_worse(won: int, lost: int) -> float:
    """How likely so few wins or fewer are if neither is better: the sign test over pictures that only one of them got right."""
    count = won + lost
    return sum(comb(count, wins) for wins in range(won + 1)) / 2**count


def measure_speed(report: Report, home: Path) -> None:
    """The loop against bare steps on tensors in memory, and the last stages against the whole network."""
    import torch

    from transfer_core.data.project import Project
    from transfer_core.training.context import Context
    from transfer_core.training.prepare import prepare
    from transfer_core.training.progress import Clock
    from transfer_core.training.settings import RunSettings

    torch.set_num_threads(THREADS)
    data = SHARED / "data" / "flowers5"
    settings = RunSettings(
        plan="custom", backbone="mobilenet_v2", weights=str(SHARED / "weights" / WEIGHTS["mobilenet_v2"]), threads=THREADS
    )
    folder = home / "run"
    folder.mkdir(parents=True)

    def silent(event: str, /, **fields: Any) -> None:
        """Nobody listens."""

    with own_home(home):
        prepared = prepare(Context(folder, Project.for_source(data), settings, silent, lambda: None), Clock())
        for name in NETWORKS:
            _measure_network(report, prepared, name)


def _measure_network(report: Report, prepared: Any, name: str) -> None:
    """Random weights: what is computed takes as long."""
    import numpy as np
    import torch

    from transfer_core.backbones.catalogue import backbone_info
    from transfer_core.backbones.network import build_backbone
    from transfer_core.features.boundary import BoundaryStore, view_key
    from transfer_core.images.augmentation import GENTLE
    from transfer_core.models.transfer_model import TransferModel
    from transfer_core.training.feeds import KeptFeed, PixelFeed
    from transfer_core.training.length import Length
    from transfer_core.training.loop import Task, train
    from transfer_core.training.recipe import RECIPE

    info, device = backbone_info(name), torch.device("cpu")
    contents = prepared.samples.of("train").contents[: 4 * BATCH]
    labels = np.arange(len(contents), dtype=np.int64) % 5
    settings = RECIPE.settings(prepared.context.settings, len(contents))
    share = {}
    seconds: dict[str, float] = {}
    for part in ("tail", "full"):
        boundary = RECIPE.boundary(info.stages, len(info.stages)) if part == "tail" else 0
        share[part] = sum(s.multiply_adds for s in info.stages[boundary:]) / sum(s.multiply_adds for s in info.stages)
        model = TransferModel(build_backbone(info).freeze(boundary), 5).to(memory_format=torch.channels_last)
        with torch.inference_mode():
            example = model.source.run(torch.zeros(1, 3, info.crop, info.crop), 0, boundary)
        if part == "tail":
            store = BoundaryStore(prepared.context.folder / "boundary", name, "0" * 16, info.view, boundary, example.shape[1:])
            store.append(
                [view_key(c, 0) for c in contents], np.random.default_rng(0).random((len(contents), *store.shape), np.float32)
            )
            feed: Any = KeptFeed(store, contents, 1, boundary, device)
        else:
            feed = PixelFeed(prepared.pixels, contents, GENTLE, device)
        places = np.arange(BATCH)
        given = feed.drawn(places, torch.Generator())
        tries: dict[str, list[float]] = {"loop": [], "bare": []}
        for _round in range(ROUNDS):
            tries["bare"].append(_seconds_of_bare_steps(feed, model, given, labels, len(contents) // BATCH))
            with tempfile.TemporaryDirectory() as folder:
                task = Task(
                    prepared.context, settings, model, feed, labels, PixelFeed(prepared.pixels, [], GENTLE, device),
                    labels[:0], 5, BATCH, Length(len(contents) // BATCH, (len(contents) // BATCH,)), Path(folder), device,
                )  # fmt: skip
                tries["loop"].append(_seconds(lambda: train(task, lambda _done, _total: None)))  # noqa: B023
        seconds[part] = median(tries["loop"])
        report.details[f"{name}, {part}"] = {"seconds": tries, "share": share[part], "boundary": boundary}
        goal = (0.85 if part == "tail" else 0.9) if name == "mobilenet_v2" else None
        ratio = median(bare / loop for bare, loop in zip(tries["bare"], tries["loop"], strict=True))
        report.add(f"{name}, {part}: images a second, of the same steps in memory", ratio, goal, at_least=True)
    relative = seconds["tail"] / seconds["full"] / share["tail"]
    report.add(f"{name}: an epoch of better / of full, per share of the work ({share['tail']:.2f})", relative, 1.5)


def _seconds_of_bare_steps(feed: Any, model: Any, given: Any, labels: Any, steps: int) -> float:
    import torch
    from torch.nn import functional

    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-6, foreach=False)
    target = torch.from_numpy(labels[: len(given)])
    model.train()

    def work() -> None:
        for _step in range(steps):
            loss = functional.cross_entropy(feed.logits(model, given), target)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()

    return _seconds(work)


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(any(figure.met is False for figure in main(sys.argv[1:]).figures))

"""Training the network: accuracy of the plans against each other and against fastai, and the loop against the pure cost of its steps.

    python -m benchmarks.finetune [--peers] [--accuracy] [--time] [--speed] [--seeds N] [--sets ...] [--backbones ...]
                                  [--networks ...] [--fastai PYTHON]

All parts without options. ImageNet weights of TRANSFER_STUDIO_SHARED, 2 threads, no setting touched. `--fastai` is a Python that has
fastai installed. How right fastai is does not depend on our code: `--peers` measures what results/fastai.json does not hold yet, for
hours if need be and again from where it stopped. Times of our plans and of fastai on a set are measured one after the other, on a
quiet machine, by `--time`; without `--fastai`, ours beside fastai's seconds of an earlier run on such a machine. Each set and network
is kept as it comes, beside those of earlier runs; without a value for `--sets` or `--networks`, what is kept is told.
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
from itertools import product
from math import comb
from pathlib import Path
from statistics import mean, median
from typing import Any

from benchmarks.figures import SHARED, Report, origin, own_home

SETS = ("hymenoptera", "flowers5", "plantvillage_apple", "sign_digits")
WEIGHTS = {"mobilenet_v2": "mobilenet_v2-imagenet.pth", "squeezenet1_1": "squeezenet1_1-imagenet.pth"}
THREADS = 2
NETWORKS = ("mobilenet_v2", "regnet_y_800mf", "resnet18", "convnext_tiny")
BATCH = 32
ROUNDS = {"mobilenet_v2": 3}  # the others, which take minutes a round: one
EPOCHS = {"tail": 12, "full": 2}
PARTS = ("peers", "accuracy", "time", "speed")
WITH_FASTAI = ("peers", "time")
PEERS = Path(__file__).parent / "results" / "fastai.json"


def main(arguments: list[str]) -> Report:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(prog="benchmarks.finetune")
    for part in PARTS:
        parser.add_argument(f"--{part}", action="store_true")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sets", nargs="*", default=SETS)
    parser.add_argument("--backbones", nargs="+", default=list(WEIGHTS))
    parser.add_argument("--networks", nargs="*", default=NETWORKS)
    parser.add_argument("--fastai")
    options = parser.parse_args(arguments)
    parts = [part for part in PARTS if getattr(options, part)] or [
        part for part in PARTS if options.fastai or part not in WITH_FASTAI
    ]
    if "peers" in parts and not options.fastai:
        parser.error("--peers needs --fastai")
    reports = {part: Report(f"finetune_{part}") for part in parts}
    for report in reports.values():
        report.go_on()
    with tempfile.TemporaryDirectory() as folder:
        for part, report in reports.items():
            if part == "speed":
                measure_speed(report, Path(folder) / "speed", options.networks)
            for backbone in options.backbones if part != "speed" else ():
                if part == "accuracy":
                    measure_accuracy(report, Path(folder), backbone, options.sets, options.seeds)
                elif part == "peers":
                    measure_peers(options.fastai, backbone, options.sets, options.seeds)
                else:
                    measure_time(report, Path(folder), backbone, options.sets, options.seeds - 1, options.fastai)
            if part in FROM_DETAILS:
                FROM_DETAILS[part](report)
            if report.figures:
                report.keep()
    whole = Report("finetune")
    whole.figures = [figure for report in reports.values() for figure in report.figures]
    return whole


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


def ways(backbone: str) -> tuple[bool, ...]:
    """Whether fastai's norms are frozen: both ways where the network has norms that learn."""
    return (False,) if backbone == "squeezenet1_1" else (False, True)


def measure_peers(python: str, backbone: str, sets: list[str], seeds: int) -> None:
    """How right fastai is wherever that is not known yet; kept after each run."""
    for seed, name, frozen in product(range(seeds), sets, ways(backbone)):
        key = peer_key(backbone, name, seed, frozen)
        if key not in known_peers():
            accuracy = fastai(python, SHARED / "data" / name, backbone, seed, frozen)["accuracy"]
            keep_peer(key, accuracy)
            print(f"  {key}: {accuracy:.4f}", flush=True)


def known_peers() -> dict[str, float]:
    """How right fastai is, as far as it was measured."""
    known: dict[str, float] = json.loads(PEERS.read_text(encoding="utf-8")) if PEERS.exists() else {}
    return known


def keep_peer(key: str, accuracy: float) -> None:
    """Add a result of fastai to those that are kept: read again, since another backbone may be measured beside it."""
    PEERS.write_text(json.dumps(known_peers() | {key: accuracy}, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def peer_key(backbone: str, name: str, seed: int, frozen_norms: bool) -> str:
    """What a result of fastai is kept under."""
    return f"{backbone} {name} {seed}" + " norms frozen" * frozen_norms


def home_for(folder: Path, backbone: str, name: str, seed: int) -> Path:
    """A home each: nothing that another seed has kept makes a run faster. The graph is made once a computer."""
    home, made_once = folder / f"{backbone} {name} {seed}", folder / f"{backbone} graph"
    if not made_once.exists():
        run(SHARED / "data" / name, home, backbone, "better", seed)  # which needs graphs of two sizes
        shutil.move(home / ".studio" / "weights", made_once)
        shutil.rmtree(home)
    shutil.copytree(made_once, home / ".studio" / "weights")
    return home


def forget_features(home: Path) -> None:
    """The next plan in this home begins like the first one: projects and their caches go, the graph stays."""
    shutil.rmtree(next(path for path in home.iterdir() if path.is_dir() and not path.name.startswith(".")))


def measure_accuracy(report: Report, folder: Path, backbone: str, sets: list[str], seeds: int) -> None:
    """For each seed how right quick and better are and their seconds, and on how many pictures only one of them was right."""
    for name in sets:
        data = SHARED / "data" / name
        line: dict[str, Any] = {"quick": [], "better": [], "won": 0, "lost": 0} | origin()
        for seed in range(seeds):
            home = home_for(folder, backbone, name, seed)
            right = {}
            for plan in ("quick", "better"):
                made, right[plan] = run(data, home, backbone, plan, seed)
                line[plan].append([made["test"]["accuracy"], made["seconds"]["total"]])
            pairs = list(zip(right["quick"], right["better"], strict=True))
            line["won"] += pairs.count((False, True))
            line["lost"] += pairs.count((True, False))
            shutil.rmtree(home)
        report.details[f"{backbone} {name}"] = line
        report.keep()
        print(f"  {backbone} {name}: {line}", flush=True)


def add_accuracies(report: Report) -> None:
    """Better against quick, on each set and over all, and against what is known of fastai on the same draws."""
    known = known_peers()
    for backbone in WEIGHTS:
        lines = {name: line for name in SETS if (line := report.details.get(f"{backbone} {name}"))}
        if not lines:
            continue
        for name, line in lines.items():
            won, lost = line["won"], line["lost"]
            report.add(
                f"{backbone}, {name}: better won {won}, lost {lost}; p of no worse", not_worse(won, lost), 0.05, at_least=True
            )
        quick, better = (mean(accuracy for line in lines.values() for accuracy, _s in line[plan]) for plan in ("quick", "better"))
        report.add(f"{backbone}: quick, mean test accuracy", quick)
        report.add(f"{backbone}: better, mean test accuracy", better)
        report.add(f"{backbone}: better above quick, points", 100 * (better - quick), 1.0, True)
        peers = []
        for frozen in ways(backbone):
            keys = [peer_key(backbone, name, seed, frozen) for name, line in lines.items() for seed in range(len(line["better"]))]
            if all(key in known for key in keys):
                peers.append(mean(known[key] for key in keys))
        if peers:
            report.add(f"{backbone}: fastai, the better of its {len(peers)} ways, mean test accuracy", max(peers))
            report.add(f"{backbone}: better above fastai, points", 100 * (better - max(peers)), 2.0, True)


def measure_time(report: Report, folder: Path, backbone: str, sets: list[str], seed: int, python: str | None) -> None:
    """How right better, best and fastai are, and their seconds from pictures to a tested model, one after the other."""
    for name in sets:
        home = home_for(folder, backbone, name, seed)
        line: dict[str, Any] = {}
        for plan in ("better", "best"):
            made, _right = run(SHARED / "data" / name, home, backbone, plan, seed)
            line[plan] = [made["test"]["accuracy"], made["seconds"]["total"]]
            forget_features(home)
        before = report.details.get(f"{backbone} {name}", {})
        if python:
            peer = fastai(python, SHARED / "data" / name, backbone, seed, False)
            line["fastai"], line["fastai measured"] = [peer["accuracy"], peer["seconds"]], origin()
            keep_peer(peer_key(backbone, name, seed, False), peer["accuracy"])  # one draw more, at no cost
        elif before.get("seed") == seed and before["machine"] == origin()["machine"]:
            line |= {key: before[key] for key in ("fastai", "fastai measured")}
        else:
            raise SystemExit(f"{backbone} {name}: fastai was not timed on this computer: give --fastai")
        report.details[f"{backbone} {name}"] = line | {"seed": seed} | origin()
        report.keep()
        print(f"  {backbone} {name}: " + ", ".join(f"{way} {line[way]}" for way in ("better", "best", "fastai")), flush=True)
        shutil.rmtree(home)


def add_times(report: Report) -> None:
    """Time and accuracy over the sets that were measured, now or earlier: with each network, and with both."""
    for backbone in (*WEIGHTS, ""):
        lines = [line for key, line in report.details.items() if key.startswith(backbone)]
        if not lines:
            continue
        seconds = {way: sum(line[way][1] for line in lines) for way in ("better", "best", "fastai")}
        of = f"{backbone or 'both networks'}, {len(lines)} trainings"
        report.add(f"{of}: time of better / fastai", seconds["better"] / seconds["fastai"], 0.25)
        report.add(f"{of}: time of best / fastai", seconds["best"] / seconds["fastai"], 1.0)
        report.add(f"{of}: best, mean test accuracy of one draw a set", mean(line["best"][0] for line in lines))


def not_worse(won: int, lost: int) -> float:
    """How likely so few wins or fewer are if neither is better: the sign test over pictures that only one of them got right."""
    count = won + lost
    return sum(comb(count, wins) for wins in range(won + 1)) / 2**count


def measure_speed(report: Report, home: Path, networks: list[str]) -> None:
    """The loop against bare steps on tensors in memory, and the last stages against the whole network."""
    import torch

    from transfer_core.data.project import Project
    from transfer_core.processes import hold_memory
    from transfer_core.training.context import Context
    from transfer_core.training.prepare import prepare
    from transfer_core.training.progress import Clock
    from transfer_core.training.settings import RunSettings

    hold_memory()  # as a training's process does
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
        for name in networks:
            report.details[name] = _measured(prepared, name)
            report.keep()


def _measured(prepared: Any, name: str) -> dict[str, Any]:
    """Seconds of an epoch by the loop and by bare steps, of both parts. Random weights: what is computed takes as long."""
    import numpy as np
    import torch

    from transfer_core.backbones.catalogue import backbone_info
    from transfer_core.backbones.fold import norms_folded
    from transfer_core.backbones.network import build_backbone
    from transfer_core.features.boundary import BoundaryStore, view_key
    from transfer_core.images.augmentation import GENTLE
    from transfer_core.models.transfer_model import TransferModel
    from transfer_core.training.feeds import KeptFeed, PixelFeed
    from transfer_core.training.length import Length
    from transfer_core.training.loop import Task, train
    from transfer_core.training.recipe import RECIPE

    info, device = backbone_info(name), torch.device("cpu")
    measured = origin()
    for part in ("tail", "full"):
        boundary = RECIPE.boundary(info.stages, len(info.stages)) if part == "tail" else 0
        # As many epochs as the plan has for the last stages: what a training does once is not measured as if it did it every time.
        epochs = EPOCHS[part]
        contents = prepared.samples.of("train").contents[: (6 if part == "tail" else 4) * BATCH]
        steps = len(contents) // BATCH
        labels = np.arange(len(contents), dtype=np.int64) % 5
        settings = RECIPE.settings(prepared.context.settings, len(contents), "all")
        share = sum(s.multiply_adds for s in info.stages[boundary:]) / sum(s.multiply_adds for s in info.stages)
        model = TransferModel(build_backbone(info).freeze(boundary), 5).to(memory_format=torch.channels_last)
        with torch.inference_mode():
            example = model.source.run(torch.zeros(1, 3, info.crop, info.crop), 0, boundary)
        if part == "tail":
            store = BoundaryStore(
                prepared.context.folder / "boundary", name, "0" * 16, info.view, info.crop, boundary, example.shape[1:]
            )
            store.append(
                [view_key(c, 0) for c in contents], np.random.default_rng(0).random((len(contents), *store.shape), np.float32)
            )
            feed: Any = KeptFeed(store, contents, range(1), boundary, device)
        else:
            feed = PixelFeed(prepared.pixels, contents, GENTLE, device)
        places = np.arange(BATCH)
        given = feed.drawn(places, torch.Generator())
        tries: dict[str, list[float]] = {"loop": [], "bare": []}
        for _round in range(ROUNDS.get(name, 1)):
            with norms_folded(model.source):
                tries["bare"].append(_seconds_of_bare_steps(feed, model, given, labels, epochs * steps) / epochs)
            with tempfile.TemporaryDirectory() as folder:
                task = Task(
                    prepared.context, settings, model, feed, labels, PixelFeed(prepared.pixels, [], GENTLE, device),
                    labels[:0], 5, BATCH, Length(steps, (epochs * steps,)), Path(folder), device, keep_best=False,
                )  # fmt: skip
                tries["loop"].append(_seconds(lambda: train(task, lambda _done, _total: None)) / epochs)  # noqa: B023
        measured[part] = {"seconds": tries, "steps": steps, "share": share, "boundary": boundary}
        print(f"  {name}, {part}: {measured[part]}", flush=True)
    return measured


def add_speeds(report: Report) -> None:
    """The loop against bare steps, and the last stages against the whole, of the networks that were measured, now or earlier."""
    for name in filter(report.details.__contains__, NETWORKS):
        seconds = {}
        for part, goal in {"tail": 0.85, "full": 0.9}.items():
            measured = report.details[name][part]
            tries = measured["seconds"]
            seconds[part] = median(tries["loop"]) / measured["steps"]
            ratio = median(bare / loop for bare, loop in zip(tries["bare"], tries["loop"], strict=True))
            # The goal is for the network with three rounds: one round says little about a few percent.
            wanted = goal if name in ROUNDS else None
            report.add(f"{name}, {part}: images a second, of the same steps in memory", ratio, wanted, at_least=True)
        share = report.details[name]["tail"]["share"]
        relative = seconds["tail"] / seconds["full"] / share
        report.add(f"{name}: an epoch of better / of full, per share of the work ({share:.2f})", relative, 1.5)


FROM_DETAILS: dict[str, Callable[[Report], None]] = {"accuracy": add_accuracies, "time": add_times, "speed": add_speeds}


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

"""Choosing a backbone: how much accuracy the pick gives away, and what choosing costs beyond the passes it needs.

    python -m benchmarks.choice [--sets flowers5 ...]

Eight candidates from the weights at hand: two ImageNet networks, the starter, three sizes, and both networks cut one stage early.
Regret is the best accuracy of a cross-validated head on all training pictures among the eight, less that of the pick. Cost
is the time of choosing, with decoded pixels and graphs at hand, over that of the bare passes of the same graphs over as many pictures.
Needs TRANSFER_STUDIO_SHARED.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.figures import SHARED, Report, own_home
from benchmarks.quick import SETS, THREADS
from transfer_core.advice.candidates import Candidate, at_size, candidate
from transfer_core.advice.choice import Choice, Row
from transfer_core.advice.choose import choose
from transfer_core.advice.measuring import MOST
from transfer_core.advice.subset import stratified
from transfer_core.backbones.catalogue import STARTER, backbone_info
from transfer_core.backbones.graph import feature_graph
from transfer_core.backbones.weights import adopt, kept_weights
from transfer_core.data.project import Project
from transfer_core.data.scan import scan
from transfer_core.features.extract import Features, FeatureStore, GraphForward, extract, session
from transfer_core.features.logistic import fit_logistic
from transfer_core.images.pixels import PixelMap, decode_together
from transfer_core.images.view import Pixels
from transfer_core.training.folds import assign_folds
from transfer_core.training.samples import RunSamples

REGRET_GOAL, COST_GOAL = 0.01, 1.15
SIZES = {"mobilenet_v2": (160, 256), "squeezenet1_1": (160,)}
# The published accuracies of the weights in the files; those of mobilenet_v2 are not the catalogue's preferred ones.
ACCURACY = {"mobilenet_v2": 71.878, "squeezenet1_1": 58.178}
# The share of the multiply-adds that a network cut before its last stage still does.
UP_TO_LAST = {"mobilenet_v2": 0.86, "squeezenet1_1": 0.6}


Graph = Path | bytes
Passes = list["Counted"]  # the frozen passes of all candidates


class Counted:
    """A frozen pass that counts its pictures."""

    def __init__(self, passes: Passes, graph: Graph, threads: int):
        self._graph = graph
        self._forward = GraphForward(graph, threads)
        self._batches: list[tuple[int, ...]] = []
        passes.append(self)

    def __call__(self, pixels: Pixels) -> Features:
        self._batches.append(pixels.shape)
        found = self._forward(pixels)
        # A boundary inside a network is pooled as its end would be.
        return np.asarray(found if found.ndim == 2 else found.mean((2, 3)))

    def bare(self) -> float:
        """Seconds of the same batches by ONNX Runtime alone: prepared pictures in memory, all threads on each batch."""
        run = session(self._graph, THREADS)
        generator = np.random.default_rng(0)
        prepared = {shape: generator.integers(0, 255, shape, dtype=np.uint8) for shape in self._batches}
        for pixels in prepared.values():
            run.run(None, {"pixels": pixels})  # plans memory and wakes the threads
        start = time.perf_counter()
        for shape in self._batches:
            run.run(None, {"pixels": prepared[shape]})
        return time.perf_counter() - start


def made(each: Candidate, passes: Passes) -> Candidate:
    """The candidate with the graph of its weights at its size, counted."""
    assert each.kept is not None
    file = feature_graph(each.kept, size=each.view.crop).file
    return replace(each, make=lambda threads: Counted(passes, file, threads))


def cut(whole: Candidate, passes: Passes) -> Candidate:
    """The network without its last stage."""
    assert whole.kept is not None
    graph = feature_graph(whole.kept)
    content = graph.cut(0, graph.stages - 1)
    return replace(
        whole,
        label=f"{whole.label} cut",
        backbone=f"{whole.backbone}-cut",
        feature_count=graph.shapes[-2][0],
        multiply_adds=whole.multiply_adds * UP_TO_LAST[whole.backbone],
        accuracy=None,
        make=lambda threads: Counted(passes, content, threads),
    )


def eight(passes: Passes) -> list[Candidate]:
    """The candidates, their graphs made."""
    found = [made(candidate(backbone_info(STARTER), next(iter(kept_weights(STARTER)))), passes)]
    for name, accuracy in ACCURACY.items():
        kept = adopt(name, SHARED / "weights" / f"{name}-imagenet.pth")
        whole = replace(candidate(backbone_info(name), kept), label=name)
        found.append(made(replace(whole, accuracy=accuracy), passes))
        found += [made(at_size(whole, size), passes) for size in SIZES[name]]
        found.append(cut(whole, passes))
    return found


def decode(project: Project, among: Sequence[Candidate], samples: RunSamples) -> float:
    """Seconds of bringing the pixels of all views onto disk."""
    maps = {each.view.key: PixelMap(project.cache / "pixels", each.view) for each in among}
    start = time.perf_counter()
    decode_together([(pixels, samples.sources) for pixels in maps.values()], THREADS)
    return time.perf_counter() - start


def full_accuracy(project: Project, each: Candidate, learn: RunSamples) -> float:
    """The accuracy of cross-validated heads on all pictures that are learnt from."""
    assert each.kept is not None and each.make is not None
    store = FeatureStore(project.cache / "features", each.backbone, each.kept.digest, each.view, each.feature_count)
    extract(each.make(THREADS), PixelMap(project.cache / "pixels", each.view), store, learn.contents)
    features = torch.from_numpy(np.asarray(store.rows()[store.positions(learn.contents)]))
    folds = assign_folds(learn, 0)
    labels = learn.labels(learn.classes)
    fit = fit_logistic(features, torch.from_numpy(labels), len(learn.classes), torch.from_numpy(folds))
    held_out = folds >= 0
    return float((fit.out_of_fold.numpy()[held_out].argmax(1) == labels[held_out]).mean())


def measure(report: Report, name: str, among: Sequence[Candidate], passes: Passes) -> dict[str, Any]:
    """Choose for one set, twice, and compare the pick with what all eight are worth."""
    project = Project.for_source(SHARED / "data" / name)
    scan(project)
    learn = RunSamples.of_project(project).of("train", "val")
    decoding = decode(project, among, stratified(learn, MOST))
    passes.clear()
    start = time.perf_counter()
    choice = choose(project, among, threads=THREADS)
    total, needed = time.perf_counter() - start, sum(each.bare() for each in passes)
    start = time.perf_counter()
    choose(project, among, threads=THREADS)
    again = time.perf_counter() - start
    decode(project, among, learn)
    full = {each.label: full_accuracy(project, each, learn) for each in among}
    found: dict[str, Any] = {
        "seconds": {"choosing": total, "passes": needed, "again": again, "decoding": decoding},
        "regret": regrets(choice, full),
        "why": choice.why,
        "rows": [as_figures(row, full[row.label]) for row in choice.rows],
        "looked_at": choice.looked_at,
        "learnt_from": len(learn),
    }
    report.details[name] = found
    assert choice.recommended is not None
    report.add(f"{name}: regret of {choice.recommended.label}", found["regret"]["pick"])
    report.add(f"{name}: choosing / bare passes", total / needed)
    return found


def regrets(choice: Choice, full: dict[str, float]) -> dict[str, float]:
    """What the pick gives away, and what picks by a single score would have."""
    best = max(full.values())
    published = [row for row in choice.rows if row.accuracy is not None]
    picks = {
        "pick": choice.recommended,
        "score, not confirmed": max(choice.rows, key=lambda row: row.score or 0),
        "published accuracy": max(published, key=lambda row: row.accuracy or 0),
        "LogME": max(choice.rows, key=lambda row: row.evidence or -np.inf),
        "neighbours": max(choice.rows, key=lambda row: row.neighbours.accuracy if row.neighbours else 0),
    }
    return {rule: best - full[row.label] for rule, row in picks.items() if row is not None}


def as_figures(row: Row, full: float) -> dict[str, Any]:
    """One line of the table, with what the candidate is worth."""
    return {
        "candidate": row.label,
        "full_accuracy": full,
        "evidence": row.evidence,
        "neighbours": row.neighbours.accuracy if row.neighbours else None,
        "score": row.score,
        "validated": row.validated.as_data() if row.validated else None,
        "seconds": row.seconds,
        "measured": row.seconds_measured,
    }


def main(arguments: list[str] | None = None) -> Report:
    """Measure, and keep the results."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sets", nargs="*", default=list(SETS))
    options = parser.parse_args(arguments)
    report = Report("choice")
    if not (SHARED / "weights").is_dir():
        print(f"skipped: {SHARED / 'weights'} is not there; TRANSFER_STUDIO_SHARED says where to look")
        return report
    with tempfile.TemporaryDirectory() as folder, own_home(Path(folder)):
        passes: Passes = []
        among = eight(passes)
        found = [measure(report, name, among, passes) for name in options.sets]
    for rule in found[0]["regret"]:
        goal = REGRET_GOAL if rule == "pick" else None
        report.add(f"mean regret: {rule}", float(np.mean([each["regret"][rule] for each in found])), goal)
    seconds = {key: sum(each["seconds"][key] for each in found) for key in found[0]["seconds"]}
    report.add("choosing / bare passes, all sets", seconds["choosing"] / seconds["passes"], COST_GOAL)
    report.add("the same with decoding for every size", (seconds["choosing"] + seconds["decoding"]) / seconds["passes"])
    report.add("asking again / bare passes", seconds["again"] / seconds["passes"])
    report.keep()
    return report


if __name__ == "__main__":
    main()

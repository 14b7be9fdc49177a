"""Wrong labels: how many of 5 % that were flipped at random are among as many suggestions as twice their number.

    python -m benchmarks.label_errors [--sets sign_digits ...]

Features from the starter and from MobileNetV2, as a run computes them, several seeds. Needs TRANSFER_STUDIO_SHARED.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.figures import SHARED, Report, own_home
from benchmarks.quick import THREADS
from transfer_core.advice.candidates import Candidate, candidate
from transfer_core.advice.opinions import out_of_fold
from transfer_core.backbones.catalogue import STARTER, backbone_info
from transfer_core.backbones.graph import feature_graph
from transfer_core.backbones.weights import adopt, kept_weights
from transfer_core.data.looking import look
from transfer_core.data.project import Project
from transfer_core.data.scan import scan
from transfer_core.features.extract import Features, FeatureStore, GraphForward, extract
from transfer_core.images.pixels import PixelMap
from transfer_core.metrics.label_errors import label_errors
from transfer_core.training.samples import RunSamples

SETS = ("plantvillage_apple", "sign_digits")
SHARE, SEEDS, GOAL = 0.05, 5, 0.8
BETTER = "mobilenet_v2"


def flipped(labels: NDArray[np.int64], classes: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """`labels` with `SHARE` of them changed to another class, drawn at random."""
    wrong = generator.choice(len(labels), round(SHARE * len(labels)), replace=False)
    changed = labels.copy()
    changed[wrong] = (labels[wrong] + generator.integers(1, classes, len(wrong))) % classes
    return changed


def features_of(project: Project, each: Candidate, samples: RunSamples) -> Features:
    """The features `[N, D]` of the samples."""
    assert each.kept is not None
    pixels = PixelMap(project.cache / "pixels", each.view)
    pixels.decode(samples.sources, THREADS)
    store = FeatureStore(project.cache / "features", each.backbone, each.kept.digest, each.view, each.feature_count)
    extract(GraphForward(feature_graph(each.kept).file, THREADS), pixels, store, samples.contents)
    return np.asarray(store.rows()[store.positions(samples.contents)])


def measure(report: Report, name: str, among: dict[str, Candidate]) -> None:
    """Flip labels of a set, and count how many are found again."""
    project = Project.for_source(SHARED / "data" / name)
    scan(project)
    look(project)
    samples = RunSamples.of_project(project)
    labels, classes = samples.labels(samples.classes), len(samples.classes)
    # As the doctor does: copies and bursts are judged together, by heads that saw none of them.
    groups = np.unique([sample.group for sample in samples.samples], return_inverse=True)[1]
    for title, each in among.items():
        features = features_of(project, each, samples)
        found, precise, suggested, right, seconds = [], [], [], [], []
        for seed in range(SEEDS):
            changed = flipped(labels, classes, np.random.default_rng(seed))
            wrong = changed != labels
            start = time.perf_counter()
            suspects = label_errors(out_of_fold(features, changed, groups, classes, seed), changed)
            seconds.append(time.perf_counter() - start)
            first = suspects.samples[: 2 * wrong.sum()]
            found.append(wrong[first].sum() / wrong.sum())
            precise.append(wrong[suspects.samples].mean() if len(suspects.samples) else 1.0)
            suggested.append(len(suspects.samples) / wrong.sum())
            hits = wrong[suspects.samples]
            right.append((suspects.suggested[hits] == labels[suspects.samples[hits]]).mean())
        clean = label_errors(out_of_fold(features, labels, groups, classes), labels)
        goal = GOAL if title == BETTER else None
        report.add(f"{name}, {title}: found of those flipped", float(np.mean(found)), goal, at_least=True)
        report.add(f"{name}, {title}: the worst of {SEEDS} seeds", float(np.min(found)))
        report.add(f"{name}, {title}: suggestions / flipped", float(np.mean(suggested)))
        report.add(f"{name}, {title}: suggestions that are flipped ones", float(np.mean(precise)))
        report.add(f"{name}, {title}: right class suggested for those", float(np.mean(right)))
        report.add(f"{name}, {title}: suggestions without flips / pictures", len(clean.samples) / len(labels))
        report.add(f"{name}, {title}: seconds", float(np.mean(seconds)), unit="s")


def main(arguments: list[str] | None = None) -> Report:
    """Measure, and keep the results."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sets", nargs="*", default=list(SETS))
    options = parser.parse_args(arguments)
    report = Report("label_errors")
    if not (SHARED / "weights").is_dir():
        print(f"skipped: {SHARED / 'weights'} is not there; TRANSFER_STUDIO_SHARED says where to look")
        return report
    with tempfile.TemporaryDirectory() as folder, own_home(Path(folder)):
        better = adopt(BETTER, Path(SHARED / "weights" / f"{BETTER}-imagenet.pth"))
        among = {
            STARTER: candidate(backbone_info(STARTER), next(iter(kept_weights(STARTER)))),
            BETTER: candidate(backbone_info(BETTER), better),
        }
        for name in options.sets:
            measure(report, name, among)
    report.keep()
    return report


if __name__ == "__main__":
    main()

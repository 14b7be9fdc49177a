"""The data doctor: all that can be said of a project's pictures before anything is trained on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from transfer_core.advice.candidates import Candidate, candidates
from transfer_core.advice.checks.check import Evidence, Finding
from transfer_core.advice.checks.suspects import unlike_others, wrong_labels
from transfer_core.advice.checks.table import CHECKS
from transfer_core.advice.findings import Findings, keep_findings, now_found, pictures_digest
from transfer_core.advice.opinions import out_of_fold
from transfer_core.advice.passes import Checkpoint, KeptFeatures, Tell, compute
from transfer_core.advice.speed import speed
from transfer_core.backbones.catalogue import STARTER, catalogue
from transfer_core.backbones.weights import KeptWeights
from transfer_core.data.looking import fingerprints, look
from transfer_core.data.project import Project
from transfer_core.data.samples import Sample
from transfer_core.data.scan import scan
from transfer_core.data.settle import settle
from transfer_core.errors import BackboneError, WeightsError
from transfer_core.features.extract import FeatureStore
from transfer_core.images.fingerprint import brightness_of, colour_of
from transfer_core.images.pixels import Source
from transfer_core.metrics.outliers import distance_to_others
from transfer_core.training.choices import choose_threads
from transfer_core.training.settings import RunSettings

FEWEST = 10  # pictures below which a network has nothing to compare
PATIENCE = 120.0  # seconds that a network nobody asked for may take for all pictures
BORDERS = 5_000  # pictures whose edges are looked at: enough to tell a background by
BLOCK = 500  # of them read at once: 8 MB


def examine(
    project: Project,
    weights: KeptWeights | None = None,
    threads: int = 0,
    seed: int = 0,
    progress: Tell | None = None,
    checkpoint: Checkpoint | None = None,
) -> Findings:
    """Look through the project's folders, decode what is new, let every check look, and keep what they found.

    `weights` are those of the network whose features tell likely wrong labels and outliers; without them, the most accurate one that is
    here and quick looks, at the least the starter.
    A bad file is a finding and stops nothing. `progress(phase, done, total)` has the phases "scan", "look", "decode", "features", "head";
    `checkpoint()` is called between batches and may raise to stop: what was computed stays. Raises DataError and StorageError.
    """
    cores = choose_threads(RunSettings(threads=threads))
    tell: Tell = progress or (lambda _phase, _done, _total: None)
    check: Checkpoint = checkpoint or (lambda: None)
    scan(project, partial(tell, "scan"), check)
    look(project, cores, partial(tell, "look"), check)
    pictures = pictures_digest(project)
    network = next(_passed(project, weights, cores, tell, check), None)
    # Read only now: decoding may have taken some out of use.
    samples = project.table.samples(state=None)
    evidence = Evidence(samples, _borders(project, samples), check)
    found: list[Finding] = []
    for each in CHECKS.values():
        if each.look:
            check()
            found += each.look(evidence)
    if network:
        odd = _by_network(evidence.used, network[1], seed, tell, check)
        # A picture that contradicts its copy has a wrong label as it is: once is enough.
        contradicting = {id for finding in found if finding.check in ("two-labels", "near-two-labels") for id in finding.ids}
        found += [finding for each in odd if (finding := _without(each, contradicting)).items]
    findings = now_found(pictures, found, network[0].backbone if network else None)
    keep_findings(project, findings)
    return findings


def _passed(
    project: Project, weights: KeptWeights | None, threads: int, tell: Tell, checkpoint: Checkpoint
) -> Iterator[tuple[Candidate, FeatureStore]]:
    """The networks that can be used, the wanted one first, each once its features of all pictures are on disk."""
    files = {sample.content: sample.path for sample in project.table.samples() if sample.label is not None}
    if len(files) < FEWEST:
        return
    sources = [Source(content, path) for content, path in files.items()]
    for each in _networks(weights, len(sources), threads):
        try:
            store, failed = compute(project.cache, each, sources, threads, tell, checkpoint)
        except (BackboneError, WeightsError):
            continue
        if failed:
            project.table.mark_broken((source.content, error) for source, error in failed)
            settle(project.table, project.shares)
        yield each, store


def _networks(weights: KeptWeights | None, pictures: int, threads: int) -> list[Candidate]:
    """The wanted network; the most accurate one here that is through within `PATIENCE`; the starter."""
    here = candidates()
    wanted = [each for each in here if weights and each.kept and each.kept.digest == weights.digest]
    quick = [each for each in here if pictures / speed(each.work, threads).images_per_second <= PATIENCE]
    # That of the network's published weights: the user's own have none, and see as well or better.
    best = sorted(quick, key=lambda each: -(catalogue()[each.backbone].accuracy or 0.0))[:1]
    return list({each.key: each for each in (*wanted, *best, *(each for each in here if each.backbone == STARTER))}.values())


def _by_network(used: Sequence[Sample], store: FeatureStore, seed: int, tell: Tell, checkpoint: Checkpoint) -> list[Finding]:
    """What features tell: likely wrong labels, and pictures unlike all others."""
    samples = [sample for sample in used if sample.label is not None and sample.content in store]
    if len(samples) < FEWEST:
        return []
    # Copies would be each other's neighbours, and an outlier none: each picture counts once.
    single = list({sample.copies: sample for sample in reversed(samples)}.values())[::-1]
    found = []
    if len(single) >= FEWEST:
        checkpoint()
        found += unlike_others(single, distance_to_others(KeptFeatures(store, [sample.content for sample in single]), seed=seed))
    counts = Counter(sample.label for sample in samples)
    classes = sorted(label for label in counts if label is not None)
    numbers = {label: number for number, label in enumerate(classes)}
    if len(classes) > 1:
        features = KeptFeatures(store, [sample.content for sample in samples])
        labels = np.array([numbers[sample.label or ""] for sample in samples])
        groups = np.unique([sample.group for sample in samples], return_inverse=True)[1]
        told = partial(tell, "head")
        found += wrong_labels(samples, classes, out_of_fold(features, labels, groups, len(classes), seed, checkpoint, told))
    return found


def _without(finding: Finding, ids: set[int]) -> Finding:
    """Of likely wrong labels those that are not these samples'; any other finding as it is."""
    if finding.check != "wrong-labels":
        return finding
    return replace(finding, items=tuple(item for item in finding.items if item.id not in ids))


def _borders(project: Project, samples: Sequence[Sample]) -> dict[str, tuple[float, float, float]]:
    """By content the mean edge of at most `BORDERS` pictures, evenly from all classes: brightness, blue and red difference."""
    store = fingerprints(project)
    taken: Counter[str | None] = Counter()
    places = []
    for sample in samples:
        if sample.state == "in" and sample.content in store:
            taken[sample.label] += 1
            places.append((taken[sample.label], sample.content))
    contents = [content for _place, content in sorted(places)[:BORDERS]]
    borders = {}
    for start in range(0, len(contents), BLOCK):
        some = contents[start : start + BLOCK]
        rows = np.asarray(store.rows()[store.positions(some)])
        for content, bright, (blue, red) in zip(some, _edge(brightness_of(rows)), _edge(colour_of(rows)), strict=True):
            borders[content] = (float(bright), float(blue), float(red))
    return borders


def _edge(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    """The means `[...]` of the outermost sixteenth of pictures `[..., side, side]`."""
    side = pictures.shape[-1]
    width = side // 16
    ring = np.ones((side, side), bool)
    ring[width:-width, width:-width] = False
    return np.asarray(pictures[..., ring].mean(-1))

"""The pictures looked at, and what each candidate goes through: weights, features, scores, cross-validated heads."""

from __future__ import annotations

import statistics
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from transfer_core.advice import speed
from transfer_core.advice.candidates import Candidate
from transfer_core.advice.choice import Row
from transfer_core.advice.passes import feature_store, forward_of
from transfer_core.advice.ranking import combined, order
from transfer_core.advice.scores import NEVER, RIGHT, WRONG, KeptScores, Measured
from transfer_core.advice.subset import stratified
from transfer_core.backbones.weights import obtain
from transfer_core.data.project import Project
from transfer_core.errors import DataError, StorageError, TransferError
from transfer_core.features.extract import Features, FeatureStore, Forward, extract
from transfer_core.features.logistic import fit_logistic
from transfer_core.i18n import _
from transfer_core.images.pixels import PixelMap, decode_together
from transfer_core.images.view import Pixels
from transfer_core.metrics.transferability import log_evidence, nearest_neighbours
from transfer_core.training.choices import choose_threads
from transfer_core.training.folds import assign_folds, holds_out
from transfer_core.training.samples import RunSamples
from transfer_core.training.settings import RunSettings

MOST = 1000
CONFIRMED = 3
PATIENCE = 0.05  # seconds between two looks at whether to stop
TIMED = 3  # batches after the first from which on a pass says how fast a backbone is


class Progress(NamedTuple):
    """How far a choice is: pictures of one candidate, or with None decoded ones, and the seconds left for all candidates."""

    candidate: Candidate | None
    done: int
    total: int
    eta_seconds: float | None


Tell = Callable[[Progress], None]
Checkpoint = Callable[[], None]
T = TypeVar("T")


class Seconds(NamedTuple):
    """The time of one pass over all of the user's pictures, and whether the speed behind it was measured."""

    value: float
    measured: bool


@dataclass
class Entry:
    """A candidate and what has become known of it."""

    candidate: Candidate
    seconds: Seconds
    left_out: str = ""
    measured: Measured | None = None
    score: float | None = None

    @property
    def answers(self) -> str:
        """Those of its cross-validated heads; "" before there are any."""
        return (self.measured.answers if self.measured else None) or ""

    def row(self) -> Row:
        """The candidate's line in the table."""
        each, known = self.candidate, self.measured
        return Row(
            label=each.label,
            backbone=each.backbone,
            digest=each.kept.digest if each.kept else None,
            size=each.view.crop,
            file_size=each.file_size,
            commercial=each.commercial,
            accuracy=each.accuracy,
            seconds=self.seconds.value,
            seconds_measured=self.seconds.measured,
            evidence=known.evidence if known else None,
            neighbours=known.neighbours if known else None,
            score=self.score,
            validated=known.validated if known else None,
            left_out=self.left_out,
        )


class Measuring:
    """The pictures looked at, and the steps that each candidate goes through."""

    def __init__(self, project: Project, threads: int, seed: int, tell: Tell, checkpoint: Checkpoint):
        samples = RunSamples.of_project(project)
        self.pictures = len(set(samples.contents))
        self.cache = project.cache
        self.threads = choose_threads(RunSettings(threads=threads))
        self.seed = seed
        self.tell, self.checkpoint = tell, checkpoint
        self._look_at(stratified(samples.of("train", "val"), MOST))

    def _look_at(self, samples: RunSamples) -> None:
        self.looked_at = samples
        self.labels = samples.labels(samples.classes)
        if len(samples.classes) < 2:
            raise DataError(
                _("A backbone can only be chosen for two classes or more with pictures that can be read."),
                code="no-images",
                fix=_("Add pictures of another class."),
            )
        self.kept = KeptScores(self.cache, samples, self.seed)

    def seconds_for(self, candidate: Candidate) -> Seconds:
        """One pass over all of the user's pictures."""
        found = speed.speed(candidate.work, self.threads)
        return Seconds(self.pictures / found.images_per_second, found.measured)

    def decode(self, among: Sequence[Candidate]) -> None:
        """Bring onto disk the pixels that features are to be computed from; pictures that turn out broken are not looked at."""
        # Views that differ in the crop alone share a map.
        maps: dict[str, PixelMap] = {}
        contents: dict[str, set[str]] = defaultdict(set)
        for each in among:
            maps.setdefault(each.view.key, PixelMap(self.cache / "pixels", each.view))
            contents[each.view.key].update(self._missing(each))
        sources = self.looked_at.sources
        failed = decode_together(
            [(pixels, [source for source in sources if source.content in contents[key]]) for key, pixels in maps.items()],
            self.threads,
            lambda done, total: self.tell(Progress(None, done, total, None)),
            self.checkpoint,
        )
        broken = {source.content for source, _error in failed}
        if broken:
            self._look_at(self.looked_at.without(broken))

    def measure(self, entry: Entry, later: Sequence[Candidate]) -> None:
        """One candidate's features, onto disk, or what is known of it; `later` are those whose time is still to come."""
        try:
            entry.candidate = self._with_weights(entry.candidate)
            entry.measured = self.kept.get(entry.candidate.key)
            if entry.measured is None:
                self._features(entry.candidate, sum(self._ahead(each) for each in later))
            entry.seconds = self.seconds_for(entry.candidate)
        except StorageError:
            raise
        except TransferError as error:
            entry.left_out = str(error)

    def score(self, entries: Sequence[Entry]) -> None:
        """The scores of candidates whose features are on disk, into their entries."""
        todo = [entry for entry in entries if not entry.measured]
        found = self._side_by_side([partial(self._scored, entry.candidate) for entry in todo])
        for entry, measured in zip(todo, found, strict=True):
            if measured is None:
                entry.left_out = _("Its features are not numbers: these weights are damaged.")
                continue
            entry.measured = measured
            self.kept.keep(entry.candidate.key, measured)

    def confirm(self, entries: Sequence[Entry]) -> list[Entry]:
        """Rank what was measured and cross-validate heads for the best that may be recommended; those, the most accurate first."""
        known = [(entry, entry.measured) for entry in entries if entry.measured]
        if not known:
            return []
        neighbours = [measured.neighbours.accuracy for _entry, measured in known]
        scores = combined(
            [measured.evidence for _entry, measured in known], neighbours, [entry.candidate.accuracy for entry, _ in known]
        )
        for (entry, _measured), score in zip(known, scores, strict=True):
            entry.score = float(score)
        ranked = [known[number] for number in order(scores.tolist(), neighbours)]
        best = [(entry, measured) for entry, measured in ranked if entry.candidate.commercial][:CONFIRMED]
        todo = [(entry, measured) for entry, measured in best if measured.answers is None]
        answers = self._cross_validated([entry.candidate for entry, _measured in todo])
        for (entry, measured), found in zip(todo, answers, strict=True):
            self.kept.keep_answers(entry.candidate.key, found)
            entry.measured = replace(measured, answers=found)
        # Sorting is stable: equal ones stay in the order of their scores.
        return sorted((entry for entry, _measured in best), key=lambda entry: -entry.answers.count(RIGHT))

    def _with_weights(self, candidate: Candidate) -> Candidate:
        if candidate.kept or candidate.make:
            return candidate

        def progress(done: int, total: int) -> None:
            self.checkpoint()

        return replace(candidate, kept=obtain(candidate.backbone, None, progress))

    def _store(self, candidate: Candidate) -> FeatureStore:
        return feature_store(self.cache, candidate)

    def _features(self, candidate: Candidate, seconds_after: float) -> Features:
        """The features `[N, D]` of the pictures looked at; computed where they are not on disk, which says how fast that goes."""
        store = self._store(candidate)
        contents = self.looked_at.contents
        if store.missing(contents):
            timed = _Timed(forward_of(candidate, self.threads))
            start = time.perf_counter()

            def progress(done: int, total: int) -> None:
                left = (total - done) * (time.perf_counter() - start) / done
                self.tell(Progress(candidate, done, total, left + seconds_after))

            extract(timed, PixelMap(self.cache / "pixels", candidate.view), store, contents, progress, self.checkpoint)
            if timed.images_per_second:
                speed.keep(candidate.work, self.threads, timed.images_per_second)
        return np.asarray(store.rows()[store.positions(contents)])

    def _missing(self, candidate: Candidate) -> list[str]:
        """The pictures whose features are not on disk; all of them before the weights are here."""
        contents = self.looked_at.contents
        return self._store(candidate).missing(contents) if candidate.kept or candidate.make else contents

    def _ahead(self, candidate: Candidate) -> float:
        """The seconds that a candidate's features are expected to take."""
        return len(self._missing(candidate)) / speed.speed(candidate.work, self.threads).images_per_second

    def _scored(self, candidate: Candidate, checkpoint: Checkpoint) -> Measured | None:
        """The scores, or None for features that are not finite."""
        checkpoint()
        features = self._features(candidate, 0.0)
        if not np.isfinite(features).all():
            return None
        neighbours = nearest_neighbours(features, self.labels)
        assert neighbours is not None  # two classes are at least two pictures
        return Measured(log_evidence(features, self.labels, _eigh), neighbours)

    def _cross_validated(self, candidates: Sequence[Candidate]) -> list[str]:
        """What cross-validated heads say of each picture looked at: those that a quick run on these pictures would fit."""
        folds = assign_folds(self.looked_at, self.seed)
        if not holds_out(folds):
            return [NEVER * len(folds) for _candidate in candidates]
        return self._side_by_side([partial(self._answers, each, folds) for each in candidates])

    def _answers(self, candidate: Candidate, folds: NDArray[np.int64], checkpoint: Checkpoint) -> str:
        classes = len(self.looked_at.classes)
        features, labels = torch.from_numpy(self._features(candidate, 0.0)), torch.from_numpy(self.labels)
        fit = fit_logistic(features, labels, classes, torch.from_numpy(folds), refit=False, checkpoint=checkpoint)
        answers = np.full(len(folds), NEVER)
        held_out = folds >= 0
        right = fit.out_of_fold.numpy()[held_out].argmax(1) == self.labels[held_out]
        answers[held_out] = np.where(right, RIGHT, WRONG)
        return "".join(answers)

    def _side_by_side(self, tasks: Sequence[Callable[[Checkpoint], T]]) -> list[T]:
        """What the tasks come to, each on one thread; the checkpoint they are given raises once the choice is stopped.

        Threads that share a task wait for each other: on a busy computer ten times as long, and NumPy's decompositions at any time.
        """
        stop = threading.Event()

        def checkpoint() -> None:
            if stop.is_set():
                raise InterruptedError

        before = torch.get_num_threads()
        with ThreadPoolExecutor(self.threads, initializer=partial(torch.set_num_threads, 1)) as pool:
            waiting = [pool.submit(task, checkpoint) for task in tasks]
            try:
                while wait(waiting, timeout=PATIENCE).not_done:
                    self.checkpoint()
            except BaseException:
                stop.set()
                raise
            finally:
                torch.set_num_threads(before)
        return [each.result() for each in waiting]


def _eigh(matrix: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Torch's, which keeps to the threads it is told."""
    values, vectors = torch.linalg.eigh(torch.from_numpy(matrix))
    return values.numpy(), vectors.numpy()


class _Timed:
    """A forward pass that times its batches from the second on: the first loads the graph and plans memory."""

    def __init__(self, forward: Forward):
        self._forward = forward
        self._seconds: list[float] = []

    def __call__(self, pixels: Pixels) -> Features:
        start = time.perf_counter()
        features = self._forward(pixels)
        self._seconds.append((time.perf_counter() - start) / len(pixels))
        return features

    @property
    def images_per_second(self) -> float | None:
        """That of the median batch, so that what else the computer did meanwhile hardly counts; None after too few batches."""
        return 1 / statistics.median(self._seconds[1:]) if len(self._seconds) > TIMED else None

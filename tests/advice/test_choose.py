"""The choice as a whole, over drawn pictures and forward passes that are no networks: what it looks at, keeps, says and survives."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from transfer_core.advice import measuring, speed
from transfer_core.advice.candidates import Candidate, at_size, candidate, candidates
from transfer_core.advice.choice import Choice, Row, faster_alike
from transfer_core.advice.choose import choose, choose_for
from transfer_core.advice.measuring import Progress
from transfer_core.backbones.catalogue import backbone_info, catalogue
from transfer_core.backbones.weights import KeptWeights
from transfer_core.data.project import Project
from transfer_core.data.scan import scan
from transfer_core.errors import BackboneError, DataError, StorageError
from transfer_core.features.extract import BATCH, FeatureStore, extract
from transfer_core.images.pixels import PixelMap
from transfer_core.images.view import View
from transfer_core.training.samples import RunSamples

WIDTH = 12


@dataclass
class Fakes:
    """Candidates whose features are the mean colours of a picture under noise: the less noise, the better the backbone."""

    looked_at: dict[str, int] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)

    def add(self, name: str, noise: float, crop: int = 16, **changes: Any) -> Candidate:
        def make(threads: int) -> Callable[[Any], Any]:
            self.made.append(name)
            return lambda pixels: self._forward(name, noise, pixels)

        plain = Candidate(
            label=name,
            backbone=name,
            family="mobilenetv2",
            view=View(crop, crop + 4),
            feature_count=WIDTH,
            multiply_adds=0.001,
            file_size=1000,
            kept=KeptWeights(name, (name.encode().hex() * 32)[:64], Path(name), ""),
            make=make,
        )
        return replace(plain, **changes)

    def _forward(self, name: str, noise: float, pixels: Any) -> Any:
        self.looked_at[name] = self.looked_at.get(name, 0) + len(pixels)
        half = pixels.shape[1] // 4
        middle = pixels[:, half:-half, half:-half].mean((1, 2)) / 255
        seeds = pixels.reshape(len(pixels), -1).sum(1)
        rows = [
            np.random.default_rng(int(seed)).normal(0, noise, WIDTH) + np.resize(row, WIDTH)
            for seed, row in zip(seeds, middle, strict=True)
        ]
        return np.array(rows, np.float32)


@pytest.fixture
def fakes() -> Fakes:
    return Fakes()


@pytest.fixture
def project(pictures) -> Project:
    return opened(pictures(count=20))


def opened(folder: Path) -> Project:
    project = Project.for_source(folder)
    scan(project)
    return project


def with_test_set(pictures: Callable[..., Path], folder: Path, **drawn: Any) -> Path:
    """A folder whose test set is its own, so that all pictures of `train` are learnt from."""
    pictures(under=folder / "train", **drawn)
    pictures(count=2, under=folder / "test", seed=9)
    return folder


def by_label(choice: Choice) -> dict[str, Row]:
    return {row.label: row for row in choice.rows}


def test_the_best_features_are_recommended_with_their_uncertainty(project: Project, fakes: Fakes) -> None:
    """The table is ordered, three are confirmed, and the sentence names the pick and its interval."""
    among = [fakes.add(name, noise) for name, noise in (("poor", 0.8), ("best", 0.05), ("bad", 3.0), ("fair", 0.3))]
    choice = choose(project, among, threads=1)
    assert [row.label for row in choice.rows] == ["best", "fair", "poor", "bad"]
    assert choice.recommended == choice.rows[0]
    assert [row.validated is not None for row in choice.rows] == [True, True, True, False]
    best = choice.rows[0].validated
    assert best is not None and best.low < best.accuracy <= best.high and best.count == choice.looked_at
    assert choice.why.startswith("best ") and f"of {best.count}" in choice.why
    for row in choice.rows:
        assert row.neighbours is not None and row.neighbours.low <= row.neighbours.accuracy <= row.neighbours.high
        assert row.evidence is not None and row.score is not None and row.seconds > 0
    assert choice.as_data()["rows"][0]["label"] == "best"


def test_the_test_set_is_never_looked_at(pictures, tmp_path: Path, fakes: Fakes) -> None:
    """Its features must not even be computed: a choice made with it would flatter the result."""
    project = opened(with_test_set(pictures, tmp_path / "data", count=8))
    choice = choose(project, [fakes.add("one", 0.1)], threads=1)
    assert choice.looked_at == fakes.looked_at["one"] == 24
    assert choice.pictures == 30


def test_at_most_so_many_pictures_of_every_class(project: Project, fakes: Fakes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cost of choosing does not grow with the data."""
    monkeypatch.setattr(measuring, "MOST", 30)
    choice = choose(project, [fakes.add("one", 0.1), fakes.add("two", 0.2)], threads=1)
    assert choice.looked_at == 30 and fakes.looked_at == {"one": 30, "two": 30}


def test_a_later_run_finds_the_features(project: Project, fakes: Fakes, monkeypatch: pytest.MonkeyPatch) -> None:
    """They lie where a run of this backbone, with these weights and this view, looks for them; only the rest is computed then."""
    monkeypatch.setattr(measuring, "MOST", 30)
    one = fakes.add("one", 0.1)
    choose(project, [one], threads=1)
    assert one.kept is not None and one.make is not None
    store = FeatureStore(project.cache / "features", one.backbone, one.kept.digest, one.view, WIDTH)
    samples = RunSamples.of_project(project)
    pixels = PixelMap(project.cache / "pixels", one.view)
    assert len(store.missing(samples.contents)) == len(set(samples.contents)) - 30
    pixels.decode(samples.sources, 1)
    extract(one.make(1), pixels, store, samples.contents)
    assert fakes.looked_at["one"] == len(set(samples.contents))


def test_asking_again_computes_nothing(project: Project, fakes: Fakes) -> None:
    """Not even a graph is loaded."""
    among = [fakes.add("one", 0.1), fakes.add("two", 0.5)]
    first = choose(project, among, threads=1)
    fakes.made.clear()
    again = choose(project, among, threads=1)
    assert fakes.made == [] and again == first


def test_another_label_costs_no_forward_pass(pictures, tmp_path: Path, fakes: Fakes) -> None:
    """Features stay with the pictures, scores do not stay with other classes."""
    folder = with_test_set(pictures, tmp_path / "data", count=12)
    among = [fakes.add("one", 0.1)]
    before = choose(opened(folder), among, threads=1)
    for number in range(6):
        shutil.move(folder / "train/circle" / f"{number:03}.jpg", folder / "train/square" / f"moved{number}.jpg")
    fakes.made.clear()
    after = choose(opened(folder), among, threads=1)
    assert fakes.made == []
    assert after.rows[0].evidence != before.rows[0].evidence


@pytest.mark.parametrize("patience", [0, 3, 7])
def test_stopped_between_batches_it_goes_on_where_it_was(
    project: Project, fakes: Fakes, monkeypatch: pytest.MonkeyPatch, patience: int
) -> None:
    """Nothing is computed twice, and the answer is the one it would have been."""
    monkeypatch.setattr("transfer_core.features.extract.KEEP_EVERY", BATCH)
    among = [fakes.add("one", 0.1), fakes.add("two", 0.5)]
    asked = 0

    class Enough(Exception):
        pass

    def checkpoint() -> None:
        nonlocal asked
        asked += 1
        if asked > patience:
            raise Enough

    with pytest.raises(Enough):
        choose(project, among, threads=1, checkpoint=checkpoint)
    stopped = choose(project, among, threads=1)
    assert max(fakes.looked_at.values()) <= stopped.looked_at + BATCH
    shutil.rmtree(project.cache)
    whole = choose(project, among, threads=1)
    assert [(row.label, row.score, row.validated) for row in stopped.rows] == [
        (row.label, row.score, row.validated) for row in whole.rows
    ]


def test_stopped_while_heads_are_fitted(project: Project, fakes: Fakes, monkeypatch: pytest.MonkeyPatch) -> None:
    """They run beside each other and would go on; what was measured before them is kept."""
    begun = threading.Event()

    def endless(*arguments: Any, checkpoint: Callable[[], None], **settings: Any) -> None:
        begun.set()
        while True:
            checkpoint()
            time.sleep(0.001)

    def stop() -> None:
        if begun.is_set():
            raise ZeroDivisionError

    among = [fakes.add("one", 0.1), fakes.add("two", 0.5)]
    with monkeypatch.context() as patch:
        patch.setattr(measuring, "fit_logistic", endless)
        with pytest.raises(ZeroDivisionError):
            choose(project, among, threads=2, checkpoint=stop)
    fakes.made.clear()
    assert choose(project, among, threads=2).recommended is not None
    assert fakes.made == []


def test_copies_of_a_picture_count_once(pictures, tmp_path: Path, fakes: Fakes) -> None:
    """A copy would answer for the original, as its neighbour and across folds."""
    folder = with_test_set(pictures, tmp_path / "data", count=10)
    for file in list((folder / "train" / "circle").iterdir()):
        shutil.copy(file, file.with_name(f"copy of {file.name}"))
    choice = choose(opened(folder), [fakes.add("one", 0.1)], threads=1)
    assert choice.looked_at == 30


def test_what_may_not_be_used_in_business_is_never_recommended(project: Project, fakes: Fakes) -> None:
    """It stands in the table with its scores, and no head is fitted for it."""
    among = [fakes.add("forbidden", 0.01, commercial=False), fakes.add("free", 1.0)]
    choice = choose(project, among, threads=1)
    assert choice.recommended is not None and choice.recommended.label == "free"
    row = by_label(choice)["forbidden"]
    assert row.score is not None and row.validated is None and not row.commercial


def test_what_takes_too_long_is_left_out_and_says_so(project: Project, fakes: Fakes) -> None:
    """By the speed that is predicted, before anything is computed; what was measured counts more."""
    among = [fakes.add("quick", 0.5), fakes.add("slow", 0.01, multiply_adds=1000.0)]
    choice = choose(project, among, seconds=60, threads=1)
    assert choice.recommended is not None and choice.recommended.label == "quick"
    row = by_label(choice)["slow"]
    assert "longer than the time given" in row.left_out and row.score is None and "slow" not in fakes.looked_at
    speed.keep(among[1].work, 1, 1e6)
    assert choose(project, among, seconds=60, threads=1).rows[0].label == "slow"


def test_nothing_fits(project: Project, fakes: Fakes) -> None:
    """Then nothing is recommended, and the sentence says where to look."""
    choice = choose(project, [fakes.add("slow", 0.1, multiply_adds=1000.0)], seconds=1e-6, threads=1)
    assert choice.recommended is None and "table" in choice.why
    assert choose(project, [], threads=1).rows == []


def test_one_that_fails_does_not_stop_the_others(project: Project, fakes: Fakes) -> None:
    """Its row says what was wrong; features that are not numbers are wrong too."""

    def refuse(threads: int) -> Any:
        raise BackboneError("The graph of it could not be made.")

    def nothing(threads: int) -> Any:
        return lambda pixels: np.full((len(pixels), WIDTH), np.nan, np.float32)

    among = [fakes.add("broken", 0.1, make=refuse), fakes.add("empty", 0.1, make=nothing), fakes.add("good", 0.1)]
    choice = choose(project, among, threads=1)
    rows = by_label(choice)
    assert choice.recommended is not None and choice.recommended.label == "good"
    assert "could not be made" in rows["broken"].left_out and "not numbers" in rows["empty"].left_out


def test_a_full_disk_ends_it(project: Project, fakes: Fakes) -> None:
    """Every other candidate would fail the same way."""

    def full(threads: int) -> Any:
        raise StorageError("The disk is full.")

    with pytest.raises(StorageError):
        choose(project, [fakes.add("one", 0.1, make=full)], threads=1)


def test_a_broken_picture_is_not_looked_at(pictures, tmp_path: Path, fakes: Fakes) -> None:
    """It passed the scan, which reads a picture's beginning, and fails to decode."""
    folder = with_test_set(pictures, tmp_path / "data", count=10, size=(300, 200))
    file = folder / "train" / "circle" / "003.jpg"
    project = opened(folder)
    file.write_bytes(file.read_bytes()[:2000])
    choice = choose(project, [fakes.add("one", 0.1), fakes.add("two", 0.1, crop=20)], threads=1)
    assert choice.looked_at == 29 and choice.rows[0].validated is not None


def test_progress_tells_the_candidate_and_the_time_for_all(project: Project, fakes: Fakes) -> None:
    """Decoded pictures first; then each candidate counts its own, and the seconds left are for all that are still to come."""
    told: list[Progress] = []
    among = [fakes.add("one", 0.1), fakes.add("two", 0.5)]
    choice = choose(project, among, threads=1, progress=told.append)
    names = [each.candidate.label if each.candidate else None for each in told]
    assert list(dict.fromkeys(names)) == [None, "one", "two"]
    assert all(each.total == choice.looked_at for each in told)
    passes = [each for each in told if each.candidate]
    assert passes[0].eta_seconds and passes[-1].eta_seconds == 0


def test_what_was_run_is_measured(pictures, fakes: Fakes) -> None:
    """The time for the user's pictures comes from the passes that were made anyway."""
    project = opened(pictures(count=30))
    choice = choose(project, [fakes.add("one", 0.1)], threads=1)
    assert choice.rows[0].seconds_measured
    assert choice.rows[0].seconds == pytest.approx(choice.pictures / speed.speed(fakes.add("one", 0.1).work, 1).images_per_second)


def test_a_validation_set_of_the_users_is_what_heads_are_scored_on(pictures, tmp_path: Path, fakes: Fakes) -> None:
    """As in a run: no folds then."""
    folder = tmp_path / "data"
    pictures(count=10, under=folder / "train")
    pictures(count=4, under=folder / "val", seed=5)
    choice = choose(opened(folder), [fakes.add("one", 0.1)], threads=1)
    assert choice.rows[0].validated is not None and choice.rows[0].validated.count == 12


def test_one_class_can_not_be_chosen_for(pictures, fakes: Fakes) -> None:
    """There is nothing to tell apart."""
    project = opened(pictures(classes=("circle",), count=5))
    with pytest.raises(DataError) as caught:
        choose(project, [fakes.add("one", 0.1)], threads=1)
    assert caught.value.fix


def test_a_choice_for_a_folder_uses_the_weights_at_hand(pictures) -> None:
    """The built-in starter is always among them; its graph comes with the program."""
    told: list[Progress] = []
    choice = choose_for(pictures(count=6), threads=1, progress=told.append)
    assert [row.backbone for row in choice.rows] == ["starter"]
    assert choice.recommended is not None and choice.recommended.accuracy is None
    assert choice.looked_at == 18


def test_published_accuracies_belong_to_their_weights_and_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights from a file may be anything, and another size was not measured."""
    info = backbone_info("resnet18")
    fetched = KeptWeights("resnet18", "0" * 64, Path("w"), f"ResNet18_Weights.{info.weights}")
    brought = replace(fetched, digest="1" * 64, source="mine.pth")
    monkeypatch.setattr("transfer_core.advice.candidates.kept_published", lambda info: fetched)
    assert candidate(info, None).accuracy == candidate(info, fetched).accuracy == info.accuracy
    own = candidate(info, brought)
    assert own.accuracy is None and "mine.pth" in own.label
    small = at_size(candidate(info, fetched), 160)
    assert small.accuracy is None and (small.view.crop, small.view.resize) == (160, 182)
    assert small.multiply_adds == pytest.approx(info.multiply_adds * (160 / 224) ** 2)
    assert at_size(candidate(info, fetched), 224).accuracy == info.accuracy


def test_what_is_fetched_for_a_choice_may_be_recommended() -> None:
    """Gigabytes that are never recommended are not worth the wait."""
    forbidden = {name for name, info in catalogue().items() if info.non_commercial}
    names = {each.backbone for each in candidates(download=True)}
    assert "vit_h_14" in forbidden and not names & forbidden
    assert {"starter", "mobilenet_v3_large", "convnext_tiny"} <= names
    assert not names & {"alexnet", "vgg19", "densenet201"}, "others are more accurate in less time"
    assert len(names) < 30
    assert not candidate(backbone_info("vit_h_14"), None).commercial


def test_a_faster_one_that_may_be_as_good_is_named() -> None:
    """Only where the pictures don't tell them apart, and the time saved is worth a word."""
    best = row("best", 100.0)
    fast, faster, close = row("fast", 50.0), row("faster", 20.0), row("close", 90.0)
    assert faster_alike(best, [(fast, 5, 3), (close, 1, 1)]) == fast
    assert faster_alike(best, [(fast, 5, 3), (faster, 30, 3)]) == fast
    assert faster_alike(best, [(close, 1, 1), (faster, 30, 3)]) is None


def row(label: str, seconds: float) -> Row:
    return Row(label, label, None, 224, 1, True, None, seconds, True)


def test_weights_of_a_backbone_that_is_not_known_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """A newer program may have kept them in the same home."""
    newer = KeptWeights("of_next_year", "0" * 64, Path("w"), "")
    ours = KeptWeights("resnet18", "1" * 64, Path("w"), "mine.pth")
    monkeypatch.setattr("transfer_core.advice.candidates.kept_weights", lambda: [newer, ours])
    assert [each.kept for each in candidates()] == [ours]

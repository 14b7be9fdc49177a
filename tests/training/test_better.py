from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
import safetensors.torch
import torch

from transfer_core.models.folder import Model
from transfer_core.models.predict import Predictor
from transfer_core.training import better, full, recipe, refinement, tail
from transfer_core.training.context import Stopped
from transfer_core.training.feeds import FixedFeed, KeptFeed, PixelFeed


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two epochs and two more, of two views."""
    for module in (better, recipe, refinement, tail):
        monkeypatch.setattr(module, "RECIPE", replace(recipe.RECIPE, epochs=4, rest_share=0.5, views=2, rate=1e-3))
    monkeypatch.setattr(full, "FULL", replace(recipe.FULL, epochs=1, batch_size=8))


def always(monkeypatch: pytest.MonkeyPatch, amount: float) -> None:
    """Have the choice fall on `amount`, which real losses decide elsewhere."""
    chosen = refinement._choose

    def choose(*arguments):
        _amount, logits = chosen(*arguments)
        _prepared, task, start, _way = arguments
        refinement.put_kept(task.model, refinement.checkpoint.load_best(task.folder))
        refinement.blend(task.model, start, refinement.snapshot(task.model), amount)
        return amount, logits

    monkeypatch.setattr(refinement, "_choose", choose)


def same_bits(one, other) -> list[str]:
    names = ("model/model.onnx", "model/model.safetensors", "answers.jsonl")
    return [name for name in names if (one.folder / name).read_bytes() == (other.folder / name).read_bytes()]


def test_from_quick_to_trained_stages(pictures, run, monkeypatch) -> None:
    """The phases in their order, both trainings told as one row of epochs, and a model that answers as its held-out scores say."""
    always(monkeypatch, 1.0)
    ran = run(pictures(count=10), plan="better")
    report = ran.go()
    phases = [event["name"] for event in ran.told("phase")]
    assert [name for name in phases if name in ("features", "head", "boundary", "tail", "choose")] == [
        "features", "head", "boundary", "tail", "choose",
    ]  # fmt: skip
    epochs = ran.told("epoch")
    assert [event["epoch"] for event in epochs] == [1, 2, 3, 4] and sorted({e["step"] for e in epochs}) == [
        e["step"] for e in epochs
    ]
    assert [event["val_loss"] is None for event in epochs] == [False, False, True, True]
    learnt = len(ran.project.table.samples()) - report["test"]["count"] if report["test"] else 30
    assert report["plan"] == "better" and 0 < report["val"]["count"] < learnt
    assert Model.read(ran.model).backbone["trained"] is True
    answers = [json.loads(line) for line in (ran.folder / "answers.jsonl").read_text().splitlines()]
    tested = [each for each in answers if each["split"] == "test"]
    said = list(Predictor(ran.model).predict([each["path"] for each in tested]))
    for each, prediction in zip(tested, said, strict=True):
        assert abs(max(each["probabilities"]) - prediction.confidence) < 2e-3


def test_with_all_pictures_it_goes_on_from_where_it_ended_without_some(pictures, run, monkeypatch) -> None:
    always(monkeypatch, 1.0)
    trained, train = [], refinement.train

    def watched(task, progress):
        start = {name: value.clone() for name, value in refinement.snapshot(task.model).items()}
        done = train(task, progress)
        trained.append((len(task.labels), start, refinement.snapshot(task.model)))
        return done

    monkeypatch.setattr(refinement, "train", watched)
    run(pictures(count=10), plan="better").go()
    (some, _start, ended), (everything, start, _ended) = trained
    assert some < everything and all(torch.equal(ended[name], start[name]) for name in ended)


@pytest.mark.parametrize(("way", "epochs"), [("harms", 2), ("breaks down", 0), ("does not fit the memory", 0)])
def test_what_proves_no_better_is_left(pictures, run, monkeypatch, way: str, epochs: int) -> None:
    """Where training harms the held-out pictures, or can't be done, the model is the quick one to the bit, and told so."""
    if way == "harms":
        for module in (better, recipe, refinement, tail):
            monkeypatch.setattr(module, "RECIPE", replace(module.RECIPE, rate=1.0))
    elif way == "does not fit the memory":

        def no_room(*_arguments: object) -> None:
            raise torch.OutOfMemoryError("CUDA out of memory.")

        for feed in (FixedFeed, KeptFeed):  # while it is measured, and while it trains
            monkeypatch.setattr(feed, "logits", no_room)
    else:
        logits = KeptFeed.logits
        monkeypatch.setattr(KeptFeed, "logits", lambda *arguments: logits(*arguments) * math.nan)
    folder = pictures(count=10)
    quick, ran = run(folder, "quick"), run(folder, "better", plan="better")
    quick.go()
    ran.go()
    assert any("quick model is kept" in event["message"] for event in ran.told("notice"))
    assert (quick.model / "model.onnx").read_bytes() == (ran.model / "model.onnx").read_bytes()
    assert len(ran.told("epoch")) == epochs  # nothing is trained on all pictures for nothing


@pytest.mark.parametrize("stays", [True, False])
def test_the_frozen_backbone_sees_test_pictures_only_where_it_stays(pictures, run, monkeypatch, tmp_path, stays: bool) -> None:
    """And no picture is passed through the trained one twice."""
    if stays:
        for module in (better, recipe, refinement, tail):
            monkeypatch.setattr(module, "RECIPE", replace(module.RECIPE, rate=1.0))
    else:
        always(monkeypatch, 1.0)
    pictures(count=10, under=tmp_path / "set" / "train")
    pictures(count=5, under=tmp_path / "set" / "test", seed=9)
    ran = run(tmp_path / "set", plan="better")
    report = ran.go()
    keys = next((ran.project.cache / "features").glob("*/keys.bin")).stat().st_size // 16
    learnt, tested = 30, 15
    assert report["test"]["count"] == tested
    assert keys == (learnt + tested if stays else learnt)
    at = [number for number, event in enumerate(ran.events) if event["event"] == "phase" and event["name"] == "choose"]
    seen = [event["total"] for event in ran.events[at[0] :] if event["event"] == "progress"]
    assert seen[0] == (tested if stays else learnt + tested)


@pytest.mark.parametrize("moment", ["views", "first training", "second training"])
def test_stopped_and_resumed_is_the_same_model(pictures, run, monkeypatch, moment: str) -> None:
    """Stopped in any phase, a run goes on to the very bits it would have had."""
    always(monkeypatch, 0.5)
    folder = pictures(count=10)
    whole = run(folder, "whole", plan="better")
    whole.go()
    stopped = run(folder, "stopped", plan="better")
    if moment == "views":
        for file in (stopped.project.cache / "boundary").rglob("*.bin"):
            file.unlink()

    def request(ran) -> str | None:
        epochs, phase = len(ran.told("epoch")), ran.told("phase")[-1]["name"] if ran.told("phase") else ""
        progress = [event for event in ran.events if event["event"] in ("phase", "progress")][-1:]
        busy = bool(progress) and progress[0]["event"] == "progress"
        wanted = {"views": phase == "boundary", "first training": epochs == 1, "second training": epochs == 3}[moment]
        return "stop" if wanted and busy else None

    with pytest.raises(Stopped):
        stopped.go(request)
    told = {"views": 0, "first training": 1, "second training": 3}[moment]
    assert len(stopped.told("epoch")) == told and not stopped.model.exists()
    stopped.go()
    assert [event["epoch"] for event in stopped.told("epoch")] == [1, 2, 3, 4]
    assert same_bits(whole, stopped) == ["model/model.onnx", "model/model.safetensors", "answers.jsonl"]


@pytest.mark.parametrize("epochs", [1, 3])
def test_finish_now_takes_what_the_scores_are_of(pictures, run, monkeypatch, epochs: int) -> None:
    """Asked to finish in either training, the model is that of the first one: the second, broken off, was held against nothing."""
    always(monkeypatch, 1.0)
    folder = pictures(count=10)
    ran = run(folder, plan="better")
    report = ran.go(lambda ran: "finish" if len(ran.told("epoch")) >= epochs else None)
    assert len(ran.told("epoch")) == epochs
    assert Model.read(ran.model).provenance["images"] == 30 - report["val"]["count"] - (report["test"] or {"count": 0})["count"]


def test_finish_now_before_any_epoch_is_the_quick_model(pictures, run) -> None:
    """Asked while the views are made: nobody waits for the rest of them."""
    folder = pictures(count=10)
    quick, ran = run(folder, "quick"), run(folder, "better", plan="better")
    quick.go()

    def request(ran) -> str | None:
        phases = [event["name"] for event in ran.told("phase")]
        return "finish" if phases[-1:] == ["boundary"] and ran.events[-1]["event"] == "progress" else None

    ran.go(request)
    assert not ran.told("epoch") and "tail" not in [event["name"] for event in ran.told("phase")]
    assert (quick.model / "model.onnx").read_bytes() == (ran.model / "model.onnx").read_bytes()


def test_finish_now_right_after_it_was_resumed_has_what_was_trained(pictures, run, monkeypatch) -> None:
    """Asked before the training is found again: not the quick model, which is all that this process has made by then."""
    always(monkeypatch, 1.0)
    ran = run(pictures(count=10), plan="better")
    with pytest.raises(Stopped):
        ran.go(lambda ran: "stop" if ran.told("epoch") else None)
    ran.go(lambda _ran: "finish")
    assert Model.read(ran.model).backbone["trained"] is True


def test_the_users_validation_pictures_are_never_learned_from(pictures, run, monkeypatch, tmp_path) -> None:
    always(monkeypatch, 1.0)
    folder = tmp_path / "given"
    pictures(count=10, under=folder / "train")
    pictures(count=4, under=folder / "val", seed=9)
    ran = run(folder, plan="better")
    report = ran.go()
    assert report["val"]["count"] == 12 and len(ran.told("epoch")) == 4


def test_best_goes_on_with_all_stages(pictures, run, monkeypatch) -> None:
    """After the last stages all of them, from where those ended: told as one row of epochs, and every stage has moved."""
    always(monkeypatch, 1.0)
    folder = pictures(count=10)
    ran = run(folder, plan="best")
    ran.go()
    phases = [event["name"] for event in ran.told("phase")]
    assert [name for name in phases if name in ("head", "boundary", "tail", "full", "choose")] == [
        "head", "boundary", "tail", "full", "choose",
    ]  # fmt: skip
    epochs = ran.told("epoch")
    assert [event["epoch"] for event in epochs] == [1, 2, 3, 4, 5, 6]
    steps = [event["step"] for event in epochs]
    assert steps == sorted(set(steps))
    better_run = run(folder, "better", plan="better")
    better_run.go()
    one, two = (safetensors.torch.load_file(each.model / "model.safetensors") for each in (better_run, ran))
    moved = {name for name in one if name.startswith("backbone.") and not torch.equal(one[name], two[name])}
    assert {name.split(".")[2] for name in moved if name.startswith("backbone.features.")} >= {"0", "5", "12"}


def test_best_falls_back_on_better(pictures, run, monkeypatch) -> None:
    """Where training all stages breaks down, the model is what better made, to the bit."""
    always(monkeypatch, 1.0)
    folder = pictures(count=10)
    better_run = run(folder, "better", plan="better")
    better_run.go()
    logits = PixelFeed.logits
    monkeypatch.setattr(PixelFeed, "logits", lambda *arguments: logits(*arguments) * math.nan)
    ran = run(folder, "best", plan="best")
    ran.go()
    assert any("all stages did not prove better" in event["message"] for event in ran.told("notice"))
    assert "model/model.safetensors" in same_bits(better_run, ran)


@pytest.mark.parametrize("told", [4, 5])
def test_best_stopped_in_its_last_phase_is_the_same_model(pictures, run, monkeypatch, told: int) -> None:
    """In either training of all stages, at a step within an epoch."""
    always(monkeypatch, 1.0)
    folder = pictures(count=10)
    whole = run(folder, "whole", plan="best")
    whole.go()
    stopped = run(folder, "stopped", plan="best")

    def request(ran) -> str | None:
        busy = ran.events and ran.events[-1]["event"] == "progress" and ran.told("phase")[-1]["name"] == "full"
        return "stop" if busy and len(ran.told("epoch")) == told else None

    with pytest.raises(Stopped):
        stopped.go(request)
    stopped.go()
    assert same_bits(whole, stopped) == ["model/model.onnx", "model/model.safetensors", "answers.jsonl"]

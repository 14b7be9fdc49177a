from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch
import torch

from transfer_core.backbones import catalogue
from transfer_core.backbones.network import load_backbone
from transfer_core.backbones.weights import read_kept
from transfer_core.errors import BackboneError
from transfer_core.models.folder import Model
from transfer_core.models.predict import Predictor
from transfer_core.models.transfer_model import TransferModel
from transfer_core.training import checkpoint, custom, loop
from transfer_core.training.context import Context, Stopped
from transfer_core.training.execute import execute

CUSTOM = {"plan": "custom", "epochs": 2, "batch_size": 8, "learning_rate": 0.01}


def same_bits(one: Path, other: Path) -> list[str]:
    return [name for name in ("model.onnx", "model.safetensors") if (one / name).read_bytes() == (other / name).read_bytes()]


def stop_in_epoch(epoch: int, pictures: int = 18):
    """Ask for a stop once the second batch of that epoch begins."""

    def request(ran) -> str | None:
        done = [event["done"] for event in ran.told("progress") if event["total"] == 2 * pictures]
        return "stop" if done and (epoch - 1) * pictures < done[-1] < epoch * pictures else None

    return request


@pytest.mark.parametrize("freeze", ["last-stage", "none", "all"])
@pytest.mark.parametrize("epoch", [1, 2])
def test_stopped_and_resumed_is_the_same_model(pictures, run, freeze: str, epoch: int) -> None:
    """Stopped in the middle of an epoch, a run resumes to the very bits it would have had, moments and schedule included."""
    folder = pictures(count=10)
    whole = run(folder, "whole", freeze=freeze, **CUSTOM)
    expected = whole.go()
    stopped = run(folder, "stopped", freeze=freeze, **CUSTOM)
    with pytest.raises(Stopped):
        stopped.go(stop_in_epoch(epoch))
    assert len(stopped.told("epoch")) == epoch - 1 and not stopped.model.exists()
    report = stopped.go()
    assert same_bits(whole.model, stopped.model) == ["model.onnx", "model.safetensors"]
    assert report["val"] == expected["val"] and report["test"] == expected["test"]

    def curve(ran) -> list[dict]:
        return [{name: value for name, value in event.items() if name != "seconds"} for event in ran.told("epoch")]

    assert curve(stopped) == curve(whole)
    assert (stopped.folder / "answers.jsonl").read_bytes() == (whole.folder / "answers.jsonl").read_bytes()


def test_killed_after_the_last_epoch_nothing_is_trained_again(pictures, run) -> None:
    """All epochs done, the model folder not written yet: resuming only writes it."""
    folder = pictures(count=8)
    ran = run(folder, **CUSTOM)
    ran.go()
    first = (ran.model / "model.safetensors").read_bytes()
    shutil.rmtree(ran.model)
    ran.events.clear()
    ran.go()
    assert ran.told("epoch") == []
    assert (ran.model / "model.safetensors").read_bytes() == first


def test_what_an_epoch_tells(pictures, run) -> None:
    """The curves' source: a line an epoch with losses, accuracies, the rate and the step, all finite."""
    ran = run(pictures(count=10), **CUSTOM)
    ran.go()
    epochs = ran.told("epoch")
    assert [event["epoch"] for event in epochs] == [1, 2]
    per_epoch = math.ceil(18 / 8)
    assert [event["step"] for event in epochs] == [per_epoch, 2 * per_epoch]
    for event in epochs:
        for name in ("train_loss", "val_loss", "train_accuracy", "val_accuracy", "learning_rate", "seconds"):
            assert math.isfinite(event[name]), name
        assert 0 <= event["val_accuracy"] <= 1
    progress = [event["done"] for event in ran.told("progress") if event["total"] == 36]
    assert progress == [8, 16, 18, 26, 34, 36]


def test_it_learns(pictures, run) -> None:
    """Told apart by colour alone, the shapes are learnt within a few epochs, and the loss falls."""
    ran = run(pictures(count=10), plan="custom", freeze="none", epochs=6, batch_size=6, learning_rate=0.01, augmentation="none")
    report = ran.go()
    losses = [event["train_loss"] for event in ran.told("epoch")]
    assert losses[-1] < 0.6 * losses[0]
    assert report["val"]["accuracy"] > 0.6


def test_frozen_is_untouched(pictures, run, kept) -> None:
    """freeze=all: every parameter and statistic of the backbone is bit for bit the kept one; the graph is the shared one."""
    ran = run(pictures(count=8), freeze="all", **CUSTOM)
    ran.go()
    tensors = safetensors.torch.load_file(ran.model / "model.safetensors")
    assert all(torch.equal(tensors[f"backbone.{name}"], tensor) for name, tensor in read_kept(kept).items())
    assert tensors["head.weight"].abs().sum() > 0
    assert not Model.read(ran.model).backbone["trained"]


@pytest.mark.parametrize("freeze", ["last-stage", "none"])
def test_batch_norm_statistics_never_move(pictures, run, kept, freeze: str) -> None:
    """Trained or frozen, the running statistics stay those of the pretrained network; only what is trained changes."""
    ran = run(pictures(count=8), freeze=freeze, **CUSTOM)
    ran.go()
    tensors = safetensors.torch.load_file(ran.model / "model.safetensors")
    before = read_kept(kept)
    backbone = load_backbone(kept).freeze(freeze)
    trained = {name for name, parameter in backbone.network.named_parameters() if parameter.requires_grad}
    assert trained and (freeze == "none") == (len(trained) == len(list(backbone.network.parameters())))
    moved = {name for name, tensor in before.items() if not torch.equal(tensors[f"backbone.{name}"], tensor)}
    assert moved <= trained
    assert len(moved) > 0.9 * len(trained)
    assert not any("running" in name for name in moved)
    assert Model.read(ran.model).backbone["trained"]


@pytest.mark.parametrize("freeze", ["all", "none"])
def test_the_model_answers_as_it_was_scored(pictures, run, freeze: str) -> None:
    """The exported graph of a trained backbone gives, on the test pictures, the probabilities it was scored by."""
    ran = run(pictures(count=12), freeze=freeze, **CUSTOM)
    report = ran.go()
    records = [json.loads(line) for line in (ran.folder / "answers.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {record["split"] for record in records} == {"val", "test"}
    assert report["val"]["count"] == 6 and report["test"]["count"] == 6
    answers = Predictor(ran.model, threads=1).predict([Path(record["path"]) for record in records])
    for record, answer in zip(records, answers, strict=True):
        assert dict(answer.top) == pytest.approx(dict(zip(report["classes"], record["probabilities"], strict=True)), abs=2e-4)


def test_the_best_epoch_is_the_result(pictures, run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever later epochs make of it, the epoch with the smallest validation loss is handed over."""
    answers = loop.answers
    scored: list[int] = []

    def worse(*arguments) -> torch.Tensor:
        """Sure of the first class, whatever is shown, but in the second epoch."""
        scored.append(len(scored) + 1)
        logits = answers(*arguments)
        return logits if scored[-1] == 2 else torch.tensor([1000.0, 0.0, 0.0]).expand_as(logits)

    monkeypatch.setattr(loop, "answers", worse)
    ran = run(pictures(count=10), **CUSTOM | {"epochs": 4})
    ran.go()
    losses = [event["val_loss"] for event in ran.told("epoch")]
    assert min(losses) == losses[1]
    folder, steps = ran.folder / "checkpoint", [event["step"] for event in ran.told("epoch")]
    assert {path.name for path in folder.glob("step-*")} == {f"step-{steps[n]}.safetensors" for n in (1, 3)}
    saved = [safetensors.torch.load_file(folder / f"step-{steps[n]}.safetensors")["model.target.weight"] for n in (1, 3)]
    head = safetensors.torch.load_file(ran.model / "model.safetensors")["head.weight"]
    assert torch.equal(saved[0], head) and not torch.equal(saved[1], head)


def test_at_first_every_class_is_as_likely(pictures, run) -> None:
    """A head that starts at zero knows nothing: the first batch's loss is the logarithm of the number of classes."""
    ran = run(pictures(count=10), plan="custom", epochs=1, batch_size=64)
    ran.go()
    assert ran.told("epoch")[0]["train_loss"] == pytest.approx(math.log(3), abs=1e-5)


def test_finish_ends_after_the_epoch_with_a_model(pictures, run) -> None:
    """ "That will do": the epoch under way is completed, and the result is a whole model."""
    ran = run(pictures(count=8), plan="custom", epochs=50, batch_size=8)
    report = ran.go(lambda ran: "finish" if ran.told("epoch") else None)
    assert len(ran.told("epoch")) == 1
    assert report["val"]["count"] == 3 and Model.read(ran.model)


def test_without_anything_held_out(pictures, run) -> None:
    """Three pictures a class leave none for validation: the last epoch is the result, and there is no score."""
    ran = run(pictures(count=3), **CUSTOM)
    report = ran.go()
    assert report["val"] is None and report["test"] is None
    assert [event["val_loss"] for event in ran.told("epoch")] == [None, None]
    assert json.loads((ran.folder / "checkpoint" / "last.json").read_text())["best"].startswith("step-")


def test_a_last_batch_of_one(pictures, run) -> None:
    """A remainder of a single picture trains like any other batch."""
    ran = run(pictures(classes=("a", "b"), count=3), plan="custom", epochs=1, batch_size=5, freeze="none")
    ran.go()
    assert ran.told("epoch")[0]["step"] == 2


def test_the_seed_decides(pictures, run) -> None:
    """The same seed gives the same model, another one another."""
    folder = pictures(count=6)
    runs = [
        run(folder, f"run{n}", seed=seed, freeze="all", plan="custom", epochs=1, batch_size=8) for n, seed in enumerate((5, 5, 6))
    ]
    for ran in runs:
        ran.go()
    assert same_bits(runs[0].model, runs[1].model) == ["model.onnx", "model.safetensors"]
    assert same_bits(runs[0].model, runs[2].model) == []


@pytest.mark.parametrize("head", ["linear", "logistic", "mlp", "cosine", "prototype"])
def test_every_head_is_trained_kept_and_answers_alike(pictures, run, kept, head) -> None:
    """What the curves end at is what the folder answers, in ONNX Runtime and in torch."""
    ran = run(pictures(count=12), plan="custom", epochs=2, freeze=4, head=head, learning_rate=0.01)
    ran.go()
    model = Model.read(ran.model)
    assert model.head["kind"] == head
    files = [Path(json.loads(line)["path"]) for line in (ran.folder / "answers.jsonl").read_text().splitlines()][:4]
    graph = [answer.as_data() for answer in Predictor(ran.model, threads=1).predict(files)]
    again = [answer.as_data() for answer in TransferModel.load(ran.model).predict(files)]
    for one, two in zip(graph, again, strict=True):
        assert one["class"] == two["class"] and one["confidence"] == pytest.approx(two["confidence"], abs=1e-3)


def test_more_stages_than_there_are_is_a_sentence(pictures, run, kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the catalogue did not count them, the network itself says so; where it did, see test_prepare."""
    infos = {name: replace(info, stages=()) for name, info in catalogue._read().items()}
    monkeypatch.setattr(catalogue, "_read", lambda: infos)
    with pytest.raises(BackboneError) as caught:
        run(pictures(count=12), plan="custom", epochs=1, freeze=44).go()
    assert caught.value.code == "unknown-stage"


def test_minutes_are_turned_into_steps_also_after_a_stop_while_measuring(pictures, run, monkeypatch) -> None:
    """A run broken off before it knew how many steps fit measures when it is resumed, and does not train by epochs."""

    def stopped(_task) -> float:
        raise Stopped

    ran = run(pictures(count=10), **CUSTOM, minutes=1)
    monkeypatch.setattr(custom, "seconds_of_step", stopped)
    with pytest.raises(Stopped):
        ran.go()
    monkeypatch.setattr(custom, "seconds_of_step", lambda _task: 20.0)
    execute(Context(ran.folder, ran.project, ran.settings, lambda *_, **__: None, lambda: None, resumed=True))
    assert json.loads((ran.folder / "choices.json").read_text())["steps"] == 3
    assert checkpoint.last_step(ran.folder) == 3

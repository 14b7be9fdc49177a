from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from transfer_core.backbones import graph
from transfer_core.backbones.weights import read_kept
from transfer_core.errors import DataError, RunError, WeightsError
from transfer_core.models.folder import Model
from transfer_core.models.predict import Predictor
from transfer_core.training.context import Stopped


def answers(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "answers.jsonl").read_text(encoding="utf-8").splitlines()]


def test_a_quick_run_from_folder_to_model(pictures, run, kept) -> None:
    """The whole plan: a model that reads, scores with intervals on what was held out, and every phase announced."""
    ran = run(pictures(count=12))
    report = ran.go()
    assert report["classes"] == ["circle", "square", "triangle"] and report["images"] == 36
    assert report["plan"] == "quick" and report["backbone"] == "mobilenet_v3_small" and report["device"] == "cpu"
    assert report["test"]["count"] == 6 and report["val"]["count"] == 30  # 15 % of each class; the rest answered in turns
    assert report["val"]["low"] <= report["val"]["accuracy"] <= report["val"]["high"]
    assert report["val"]["accuracy"] > 0.6  # colours and shapes: even random features tell them apart
    assert set(report["seconds"]) >= {"total", "decode", "features", "train", "evaluate"}
    phases = [event["name"] for event in ran.told("phase")]
    assert phases == ["scan", "look", "weights", "graph", "decode", "features", "head", "evaluate"]
    model = Model.read(ran.model)
    assert model.scores["val"] == report["val"] and model.scores["how_val"] == "out-of-fold"
    assert model.calibration["count"] == 30 and model.backbone["digest"] == kept.digest and not model.backbone["trained"]
    tensors = safetensors.torch.load_file(ran.model / "model.safetensors")
    assert tensors["head.weight"].shape == (3, 1024)
    assert all(torch.equal(tensors[f"backbone.{name}"], tensor) for name, tensor in read_kept(kept).items())


def test_the_model_answers_as_it_was_scored(pictures, run) -> None:
    """What is promised is what is delivered: on the test pictures, the folder's answers are those in answers.jsonl."""
    ran = run(pictures(count=12))
    report = ran.go()
    records = [record for record in answers(ran.folder) if record["split"] == "test"]
    assert len(records) == 6
    said = list(Predictor(ran.model, threads=1).predict([Path(record["path"]) for record in records]))
    classes = report["classes"]
    for record, answer in zip(records, said, strict=True):
        assert answer.label == classes[int(np.argmax(record["probabilities"]))]
        assert dict(answer.top) == pytest.approx(dict(zip(classes, record["probabilities"], strict=True)), abs=2e-4)
    right = sum(answer.label == record["label"] for record, answer in zip(records, said, strict=True))
    assert report["test"]["accuracy"] == right / 6


def test_the_report_counts_what_the_answers_say(pictures, run) -> None:
    """Accuracy in the report, in model.json and counted from answers.jsonl is one number."""
    ran = run(pictures(count=9))
    report = ran.go()
    for split in ("val", "test"):
        records = [record for record in answers(ran.folder) if record["split"] == split]
        right = sum(report["classes"][int(np.argmax(record["probabilities"]))] == record["label"] for record in records)
        expected = {"accuracy": right / len(records), "count": len(records)} if records else None
        assert report[split] == (expected and report[split] | expected)


def test_the_same_run_twice_is_the_same_model(pictures, run) -> None:
    """Same pictures, settings and seed: the same bits, whether features were there already or not."""
    folder = pictures(count=8)
    first, second = run(folder, "one"), run(folder, "two")
    first.go()
    shutil.rmtree(first.project.cache)
    second.go()
    third = run(folder, "three")
    third.go()
    for name in ("model.onnx", "model.safetensors"):
        contents = {(ran.model / name).read_bytes() for ran in (first, second, third)}
        assert len(contents) == 1, name
    assert len({(ran.folder / "answers.jsonl").read_bytes() for ran in (first, second, third)}) == 1


def test_test_pictures_decide_nothing(pictures, run, tmp_path: Path) -> None:
    """With other test pictures, mislabelled at that, the model is the same to the last bit; only the test score differs."""
    models = []
    for number in range(2):
        folder = tmp_path / f"set{number}"
        pictures(count=6, under=folder / "train")
        pictures(count=4, under=folder / "test", seed=100 + number)
        if number:
            (folder / "test" / "circle").rename(folder / "test" / "x")
            (folder / "test" / "square").rename(folder / "test" / "circle")
            (folder / "test" / "x").rename(folder / "test" / "square")
        ran = run(folder, f"run{number}")
        models.append((ran.go(), ran))
    (first, one), (second, two) = models
    assert (one.model / "model.onnx").read_bytes() == (two.model / "model.onnx").read_bytes()
    assert first["val"] == second["val"] and first["test"]["accuracy"] > second["test"]["accuracy"]


def test_a_given_validation_set_is_never_learnt_from(pictures, run, tmp_path: Path) -> None:
    """Poisoned labels in the user's validation set: the head of that strength is that of the clean one."""
    heads, scores = [], []
    for number in range(2):
        folder = tmp_path / f"set{number}"
        pictures(count=6, under=folder / "train")
        pictures(count=4, under=folder / "val", seed=7)
        if number:
            (folder / "val" / "circle").rename(folder / "val" / "x")
            (folder / "val" / "square").rename(folder / "val" / "circle")
            (folder / "val" / "x").rename(folder / "val" / "square")
        ran = run(folder, f"run{number}")
        report = ran.go()
        assert report["val"]["count"] == 12 and Model.read(ran.model).scores["how_val"] == "held-out"
        assert Model.read(ran.model).provenance["images"] == 18
        heads.append((Model.read(ran.model).head["strength"], safetensors.torch.load_file(ran.model / "model.safetensors")))
        scores.append(report["val"]["accuracy"])
    assert scores[0] > scores[1]
    if heads[0][0] == heads[1][0]:
        assert torch.allclose(heads[0][1]["head.weight"], heads[1][1]["head.weight"], atol=1e-5)
    assert not any("val" in str(name) for name in heads[0][1])


def test_stopped_at_any_moment_and_resumed(pictures, run) -> None:
    """Wherever a stop request comes through, the resumed run ends in the same model as an unbroken one."""
    folder = pictures(count=6)
    whole = run(folder, "whole")
    whole.go()
    shutil.rmtree(whole.project.cache)
    # The pictures are known by now, so that the next runs are asked as often as this one.
    again = run(folder, "again")
    again.go()
    for moment in range(1, again.asked + 1, 4):
        shutil.rmtree(whole.project.cache)
        ran = run(folder, f"stopped{moment}")
        with pytest.raises(Stopped):
            ran.go(lambda ran, moment=moment: "stop" if ran.asked >= moment else None)
        assert not ran.model.exists()
        ran.go()
        for name in ("model.onnx", "model.safetensors"):
            assert (ran.model / name).read_bytes() == (whole.model / name).read_bytes(), moment


def test_two_classes_with_one_picture_each(pictures, run) -> None:
    """The least there is: a model, no score rather than a made-up one, and the user is told."""
    ran = run(pictures(classes=("a", "b"), count=1))
    report = ran.go()
    assert report["val"] is None and report["test"] is None and report["images"] == 2
    assert sum("single picture" in event["message"] for event in ran.told("notice")) == 2
    assert len(list(Predictor(ran.model, threads=1).predict(sorted(ran.project.sources[0].folder.rglob("*.jpg"))))) == 2
    assert (ran.folder / "answers.jsonl").read_text() == ""


def test_a_picture_that_turns_out_broken_leaves_the_run(pictures, run) -> None:
    """Its header and end are fine, its middle is not: left out on decoding, told, and the table knows."""
    folder = pictures(count=6)
    victim = folder / "circle" / "002.jpg"
    data = bytearray(victim.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 40] = b"\xff\xd8" * 20
    victim.write_bytes(data)
    ran = run(folder)
    report = ran.go()
    if report["images"] == 18:
        pytest.skip("this Pillow decodes it all the same")
    assert report["images"] == 17
    assert any("002.jpg" in event["message"] for event in ran.told("notice"))
    assert [sample.relative for sample in ran.project.table.left_out()] == ["circle/002.jpg"]


def test_left_out_files_are_told(pictures, run) -> None:
    """What was not used is said, with names, once."""
    folder = pictures(count=4)
    (folder / "circle" / "notes.txt").write_text("x")
    (folder / "circle" / "empty.jpg").write_bytes(b"")
    ran = run(folder)
    ran.go()
    (message,) = [event["message"] for event in ran.told("notice")]
    assert "2 files" in message and "notes.txt" in message and "empty.jpg" in message


@pytest.mark.parametrize("classes, code", [((), "no-images"), (("only",), "one-class")])
def test_too_little_to_learn_from(pictures, run, tmp_path: Path, classes: tuple[str, ...], code: str) -> None:
    """Told before any weights are loaded, and no model folder appears."""
    (tmp_path / "pictures").mkdir()
    ran = run(pictures(classes=classes, count=3))
    with pytest.raises(DataError) as caught:
        ran.go()
    assert caught.value.code == code and not ran.model.exists()
    assert [event["name"] for event in ran.told("phase")] == ["scan"]


def test_pictures_that_moved_away(pictures, run, tmp_path: Path) -> None:
    """Before a run begins, a source that is not there is told; one that was never there, otherwise."""
    folder = pictures(count=3)
    ran = run(folder)
    folder.rename(tmp_path / "moved")
    with pytest.raises(DataError) as caught:
        ran.go()
    assert caught.value.code == "no-such-folder"
    (tmp_path / "moved").rename(folder)
    ran.go()
    folder.rename(tmp_path / "moved")
    with pytest.raises(DataError) as caught:
        run(folder, "later").go()
    assert caught.value.code == "source-moved"


def test_a_resumed_run_keeps_to_its_weights(pictures, run, kept) -> None:
    """Begun with one set of parameters, a run never goes on from another."""
    ran = run(pictures(count=3))
    ran.go()
    file = ran.folder / "choices.json"
    file.write_text(file.read_text().replace(kept.digest, "0" * 64))
    with pytest.raises(RunError) as caught:
        ran.go()
    assert caught.value.code == "other-weights"


def test_a_missing_weights_file_is_told(pictures, run, tmp_path: Path) -> None:
    """`--weights` of a file that is not there."""
    with pytest.raises(WeightsError) as caught:
        run(pictures(count=3), weights=str(tmp_path / "gone.pth")).go()
    assert "gone.pth" in caught.value.message


def test_nothing_of_the_user_is_in_the_model_or_changed(pictures, run, tmp_path: Path) -> None:
    """The model folder is made to be given away: no path of this computer; and the pictures are as they were."""
    folder = pictures(count=4)
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}
    ran = run(folder)
    ran.go()
    for path in ran.model.iterdir():
        assert str(tmp_path).encode() not in path.read_bytes(), path.name
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("settings", [{"plan": "quick"}, {"plan": "custom", "epochs": 1, "freeze": "last-stage"}])
def test_a_backbone_too_large_for_a_graph_is_trained_and_answers_in_torch(pictures, run, kept, monkeypatch, settings) -> None:
    """The user is told, and what they get answers like any other model."""
    for file in kept.file.parent.glob("*.onnx*"):
        file.unlink()
    monkeypatch.setattr(graph, "LARGEST", 1000)
    data = pictures(count=12)
    ran = run(data, **settings)
    report = ran.go()
    assert any("Torch is used" in event["message"] for event in ran.told("notice"))
    assert report["val"] and (settings["plan"] == "custom" or report["val"]["accuracy"] > 0.6)
    model = Model.read(ran.model)
    assert model.graph is None and not (ran.model / "model.onnx").exists()
    # Of the test pictures: those for validation were answered by heads that had not seen them.
    said = {record["path"]: record["probabilities"] for record in answers(ran.folder) if record["split"] == "test"}
    picture = next(iter(said))
    answered = next(iter(Predictor(ran.model, threads=1).predict([Path(picture)])))
    assert answered.confidence == pytest.approx(max(said[picture]), abs=1e-3)
    assert answered.label in model.classes

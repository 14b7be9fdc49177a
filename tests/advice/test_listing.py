"""All there is to start from: whose weights a row means, its time, and the front of accuracy against time."""

from __future__ import annotations

import gc
import json
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.yardstick import slowness
from transfer_core.advice import speed
from transfer_core.advice.listing import Listed, front, listing, setting_for
from transfer_core.backbones.catalogue import backbone_info, catalogue
from transfer_core.files import write_json
from transfer_core.places import home, weights_folder

DIGEST = "ab" * 32


def keep(backbone: str, source: str, source_digest: str, digest: str = DIGEST) -> Path:
    """Weights as they are kept, without numbers in them."""
    file = weights_folder() / f"{backbone}-{digest[:16]}.safetensors"
    file.write_bytes(b"0" * 100)
    record = {"schema": 1, "backbone": backbone, "digest": digest, "source": source, "source_digest": source_digest}
    write_json(file.with_suffix(".json"), record)
    return file


def train(project: str, run: str, backbone: str, trained: bool = True) -> Path:
    """What a training leaves, without numbers in it."""
    folder = home() / project / "runs" / run / "model"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"0" * 50)
    (folder / "model.json").write_text(json.dumps({"backbone": {"name": backbone, "trained": trained}}))
    return folder / "model.safetensors"


def of(backbone: str, origin: str = "published") -> Listed:
    return next(row for row in listing(100, threads=2) if (row.info.name, row.origin) == (backbone, origin))


def test_everything_published_is_listed_once() -> None:
    rows = listing(100)
    assert [row.info.name for row in rows] == list(catalogue())
    assert len({row.key for row in rows}) == len(rows)
    assert [row.info.name for row in rows if row.here] == ["starter"]
    assert all(row.weights is None and row.seconds > 0 and row.frozen_memory < row.training_memory for row in rows)


def test_the_time_is_that_of_the_pictures_and_says_whether_it_was_measured() -> None:
    before = of("resnet18")
    assert not before.measured
    info = before.info
    speed.keep(speed.Work(info.name, info.family, info.crop, info.multiply_adds), 2, 50.0)
    after = of("resnet18")
    assert after.measured and after.seconds == pytest.approx(2.0)
    assert not of("resnet34").measured and of("resnet34").seconds != before.seconds


def test_published_weights_that_were_brought_as_a_file_are_the_published_ones() -> None:
    beginning = backbone_info("resnet18").weights_file.split("-")[1].split(".")[0]
    keep("resnet18", "resnet18.pth", beginning.ljust(64, "0"))
    row = of("resnet18")
    assert row.here and row.weights is None and not row.must_come_first
    assert setting_for("resnet18", DIGEST) is None


def test_a_file_of_the_users_has_a_row_of_its_own() -> None:
    file = keep("resnet18", "mine.pth", "0" * 64)
    row = of("resnet18", "file")
    assert row.here and row.weights == str(file) == setting_for("resnet18", DIGEST)
    assert row.accuracy is None and row.source == "mine.pth" and not row.on_front
    published = of("resnet18")
    assert not published.here and published.must_come_first
    file.with_suffix(".json").unlink()
    assert not [row for row in listing(100) if row.origin == "file"]


def test_models_whose_backbone_was_trained_are_listed() -> None:
    parameters = train("flowers", "run-1", "resnet18")
    train("flowers", "run-2", "resnet18", trained=False)
    train("flowers", "run-3", "unknown")
    broken = train("flowers", "run-4", "resnet18").with_name("model.json")
    broken.write_text("[")
    trained = [row for row in listing(100) if row.origin == "trained"]
    assert [(row.weights, row.source) for row in trained] == [(str(parameters), "flowers, run-1")]
    assert trained[0].here and trained[0].accuracy is None and not trained[0].non_commercial


def test_weights_taken_from_a_model_that_is_listed_are_not_listed_twice() -> None:
    from transfer_core.files import digest_of

    parameters = train("flowers", "run-1", "resnet18")
    keep("resnet18", "model.safetensors", digest_of(parameters))
    assert [row.origin for row in listing(100) if row.info.name == "resnet18"] == ["trained", "published"]
    shutil.rmtree(parameters.parent)
    assert [row.origin for row in listing(100) if row.info.name == "resnet18"] == ["file", "published"]


def test_the_front_is_what_nothing_beats_and_may_be_recommended() -> None:
    base = of("resnet18")
    licence = "https://github.com/facebookresearch/SWAG/blob/main/LICENSE"
    rows = [
        replace(base, accuracy=70.0, seconds=1.0),
        replace(base, accuracy=60.0, seconds=2.0),
        replace(base, accuracy=80.0, seconds=3.0),
        replace(base, accuracy=80.0, seconds=4.0),
        replace(base, accuracy=None, seconds=0.5),
        replace(base, accuracy=99.0, seconds=0.1, info=replace(base.info, licence=licence)),
    ]
    assert front(reversed(rows)) == [rows[0], rows[2]]
    assert front([]) == []
    everything = listing(100)
    assert [row for row in sorted(everything, key=lambda row: row.seconds) if row.on_front] == front(everything)
    assert not any(row.non_commercial for row in everything if row.on_front)


@pytest.mark.timed
def test_quick_with_a_hundred_models_and_two_thousand_networks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    entry = json.loads((Path(speed.__file__).parents[1] / "backbones" / "torchvision.json").read_bytes())["backbones"]["resnet18"]
    many = {
        f"timm/net{number}.a": entry | {"family": "timm", "accuracy": None, "title": f"net{number}"} for number in range(1800)
    }
    file = tmp_path / "timm.json"
    write_json(file, {"schema": 1, "backbones": many})
    monkeypatch.setattr("transfer_core.backbones.catalogue.timm_file", lambda: file)
    monkeypatch.setattr("transfer_core.advice.listing.timm_file", lambda: file)
    for number in range(100):
        train("flowers", f"run-{number}", "resnet18")
    gc.collect()  # what the other tests have imported takes half a second, whenever it is due
    began = time.process_time()
    rows = listing(500)
    first, began = time.process_time() - began, time.process_time()
    assert len(rows) > 1900 and sum(row.origin == "timm" for row in rows) == 1800
    assert listing(500) == rows
    again = time.process_time() - began
    print(f"first {first:.3f} s, again {again:.3f} s")
    assert first < 0.6 * slowness() and again < 0.1 * slowness()

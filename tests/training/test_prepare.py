from __future__ import annotations

import json
import shutil
from collections import namedtuple

import pytest
import torch

from transfer_core.errors import RunError, SettingsError, StorageError
from transfer_core.training import room


def test_a_disk_that_is_too_small_is_told_before_the_work_begins(pictures, run, monkeypatch: pytest.MonkeyPatch) -> None:
    """How much is needed and how much there is, with no pixels written yet; with room again, the run completes."""
    ran = run(pictures(count=4))
    usage = namedtuple("usage", "total used free")
    with monkeypatch.context() as patch:
        patch.setattr(room.shutil, "disk_usage", lambda _folder: usage(10**9, 10**9, 5000))
        with pytest.raises(StorageError) as caught:
            ran.go()
    assert caught.value.code == "disk-full" and caught.value.fix
    assert list((ran.project.cache / "pixels").rglob("rows.bin")) == []
    assert ran.go()["images"] == 12


def test_what_was_decoded_is_not_counted_again(pictures, run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second run over the same pictures needs no space for pixels."""
    folder = pictures(count=4)
    run(folder, "one").go()
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(room.shutil, "disk_usage", lambda _folder: usage(10**9, 10**9, 0))
    assert run(folder, "two").go()["images"] == 12


def test_a_resumed_run_keeps_its_samples_and_choices(pictures, run) -> None:
    """Pictures that came since the run began are not in it; nor are other settings of this computer."""
    folder = pictures(count=4)
    ran = run(folder)
    ran.go()
    pictures(count=8, seed=5)
    file = ran.folder / "choices.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"threads": 2}))
    shutil.rmtree(ran.model)
    ran.events.clear()
    report = ran.go()
    assert report["images"] == 12
    assert "scan" not in [event["name"] for event in ran.told("phase")]
    model = json.loads((ran.model / "model.json").read_text())
    assert model["provenance"]["threads"] == 2
    assert run(folder, "later").go()["images"] == 24


def test_more_frozen_stages_than_there_are_is_told_before_the_work_begins(pictures, run) -> None:
    """Neither is the folder looked through nor a weight read: the field is named at once."""
    ran = run(pictures(count=4), plan="custom", freeze=7)
    with pytest.raises(SettingsError) as caught:
        ran.go()
    assert caught.value.code == "too-deep" and caught.value.message.startswith("freeze:")
    assert ran.events == [] and ran.project.table.count() == 0


def test_begun_on_a_card_and_resumed_without_one_is_a_sentence(pictures, run, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it computed there can't be gone on with to the same bits elsewhere."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    ran = run(pictures(count=4))
    ran.go()
    file = ran.folder / "choices.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"device": "cuda"}))
    with pytest.raises(RunError) as caught:
        ran.go()
    assert caught.value.code == "no-cuda" and caught.value.fix


@pytest.mark.parametrize("gone", [True, False])
def test_a_picture_that_changed_since_the_run_began_is_named(pictures, run, gone: bool) -> None:
    """Where its pixels were freed meanwhile: other ones must neither take its place in the run, nor in what all runs share."""
    folder = pictures(count=4)
    ran = run(folder)
    ran.go()
    one, other = sorted(path for path in folder.rglob("*") if path.is_file())[:2]
    before = one.read_bytes()
    one.unlink() if gone else one.write_bytes(other.read_bytes())
    shutil.rmtree(ran.project.cache / "pixels")
    with pytest.raises(RunError) as caught:
        ran.go()
    assert caught.value.code == "picture-changed" and caught.value.file == str(one)
    assert not list((ran.project.cache / "pixels").rglob("rows.bin"))
    one.write_bytes(before)
    assert ran.go()["images"] == 12


def test_of_several_files_of_one_content_the_one_that_is_decoded_counts(pictures, run) -> None:
    folder = pictures(count=4)
    one = sorted(path for path in folder.rglob("*") if path.is_file())[0]
    same = shutil.copy(one, one.with_name("zzz.jpg"))
    ran = run(folder)
    ran.go()
    shutil.rmtree(ran.project.cache / "pixels")
    same.unlink()
    ran.go()
    shutil.copy(one, same)
    shutil.rmtree(ran.project.cache / "pixels")
    one.unlink()
    with pytest.raises(RunError) as caught:
        ran.go()
    assert caught.value.code == "picture-changed" and caught.value.file == str(one)

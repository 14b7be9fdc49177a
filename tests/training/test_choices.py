from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from transfer_core.backbones.catalogue import backbone_info
from transfer_core.errors import RunError
from transfer_core.images.view import View
from transfer_core.training.choices import Choices, choose_device, choose_precision, choose_threads, resize_for
from transfer_core.training.settings import RunSettings


def test_made_once(tmp_path: Path) -> None:
    """What was settled is kept and read back; before, there is nothing."""
    assert Choices.read(tmp_path) is None
    choices = Choices("cpu", 2, "d" * 64, 224, 256)
    choices.write(tmp_path)
    assert Choices.read(tmp_path) == choices


def test_damaged_choices_are_a_sentence(tmp_path: Path) -> None:
    """A file that says something else is a RunError."""
    for content in ("{", "{}", "[]", '{"device": "cpu", "extra": 1}'):
        (tmp_path / "choices.json").write_text(content)
        with pytest.raises(RunError):
            Choices.read(tmp_path)


def test_a_graphics_card_is_used_when_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """auto takes it, cpu doesn't, and cuda without one is told with what to do."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert [choose_device(RunSettings(device=device)) for device in ("auto", "cpu", "cuda")] == ["cuda", "cpu", "cuda"]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert [choose_device(RunSettings(device=device)) for device in ("auto", "cpu")] == ["cpu", "cpu"]
    with pytest.raises(RunError) as caught:
        choose_device(RunSettings(device="cuda"))
    assert caught.value.code == "no-cuda" and caught.value.fix


def test_precision_is_what_the_device_can_train_in() -> None:
    """auto leaves the device free, so that fp16 may turn out impossible only here; other plans take none that was set."""
    fp16 = RunSettings(plan="custom", precision="fp16")
    assert choose_precision(fp16, "cuda") == "float16"
    with pytest.raises(RunError) as caught:
        choose_precision(fp16, "cpu")
    assert caught.value.code == "precision-not-possible" and caught.value.fix
    assert choose_precision(RunSettings(plan="custom", precision="bf16"), "cpu") == "bfloat16"
    assert choose_precision(RunSettings(plan="better", precision="bf16"), "cpu") == "float32"


def test_threads_are_those_this_process_may_use() -> None:
    """In a container or under taskset, not all of the machine's; what was asked for is kept to."""
    assert choose_threads(RunSettings(threads=3)) == 3
    assert choose_threads(RunSettings()) >= 1
    if not hasattr(os, "sched_setaffinity"):
        return
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert choose_threads(RunSettings()) == 1
    finally:
        os.sched_setaffinity(0, before)


@pytest.mark.parametrize("backbone", ["starter", "resnet18", "efficientnet_b1", "inception_v3", "vit_b_16"])
def test_any_size_that_may_be_set_can_be_looked_at(backbone: str) -> None:
    """The crop lies in the middle of whole pixels, and what is around it grows with it; at its own size all is as it was."""
    info = backbone_info(backbone)
    for size in range(64, 1025, 32):
        view = View(size, resize_for(info, size))  # raises ValueError for a centre that is half a pixel off
        assert view.resize / view.crop == pytest.approx(info.resize / info.crop, abs=1 / size)
    assert resize_for(info, info.crop) == info.resize

"""Speeds that were measured are told as such, and carry over to what was not."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import asdict

import numpy as np
import pytest

from transfer_core.advice import speed as speeds
from transfer_core.advice.speed import EFFICIENCY, KIN, Work, keep, measure, measurements, speed
from transfer_core.backbones.catalogue import catalogue

MOBILE = Work("mobilenet_v2", "mobilenetv2", 224, 0.301)
RESNET = Work("resnet18", "resnet", 224, 1.814)


def test_what_was_measured_here_is_told_as_measured() -> None:
    """The same backbone, size and threads: no prediction in between. A later measurement takes the earlier one's place."""
    assert not speed(MOBILE, 2).measured
    keep(MOBILE, 2, 100.0)
    keep(MOBILE, 2, 220.0)
    assert speed(MOBILE, 2) == speeds.Speed(220.0, True)
    assert len(measurements()) == 1


def test_a_measurement_corrects_what_is_predicted() -> None:
    """A computer twice as fast with one network is expected to be so with others, most of all with the same at another size."""
    before = speed(RESNET, 2).images_per_second
    keep(MOBILE, 2, 2 * speed(MOBILE, 2).images_per_second)
    after = speed(RESNET, 2)
    assert after.images_per_second == pytest.approx(2 * before) and not after.measured
    half = Work("mobilenet_v2", "mobilenetv2", 112, 0.301 / 4)
    keep(RESNET, 2, 1.0)
    assert speed(half, 2).images_per_second == pytest.approx(4 * speed(MOBILE, 2).images_per_second)
    assert speed(MOBILE, 4).images_per_second == pytest.approx(2 * speed(MOBILE, 2).images_per_second)


def test_another_computers_measurements_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """A home on a disk that moves, or on a network, serves several computers; each keeps its own."""
    keep(MOBILE, 2, 900.0)
    monkeypatch.setattr(speeds, "processor", lambda: "another")
    assert speed(MOBILE, 2).images_per_second < 900 and not speed(MOBILE, 2).measured
    keep(MOBILE, 2, 30.0)
    assert [each.images_per_second for each in measurements()] == [900.0, 30.0]


def test_a_broken_file_is_replaced() -> None:
    """Speeds are worth measuring again, and not worth an error."""
    keep(MOBILE, 2, 100.0)
    speeds.speeds_file().write_text('{"schema": 1, "speeds": [{"backbone": 3}]}')
    assert measurements() == []
    keep(RESNET, 2, 50.0)
    assert [each.backbone for each in measurements()] == ["resnet18"]


def test_every_family_of_the_catalogue_has_an_efficiency() -> None:
    """A new family is one entry; without it the slowest would be assumed."""
    families = {info.family for info in catalogue().values()}
    assert families == {*KIN, *EFFICIENCY} and set(KIN.values()) <= set(EFFICIENCY)


def test_predictions_stand_in_the_measured_order() -> None:
    """Against images a second measured in one process in ONNX Runtime, beside random weights."""
    measured = {
        "mobilenet_v3_large": 209.5,
        "mobilenet_v2": 159.5,
        "efficientnet_b0": 102,
        "regnet_y_800mf": 80.5,
        "resnet18": 47,
        "convnext_tiny": 12,
    }
    for name, rate in measured.items():
        info = catalogue()[name]
        found = speed(Work(name, info.family, info.crop, info.multiply_adds), 2)
        assert found.images_per_second == pytest.approx(rate, rel=0.05)


def test_measuring_times_batches_after_the_first() -> None:
    """The first batch plans memory; counting it would call every network slow."""
    shapes = []

    def forward(pixels):
        shapes.append(pixels.shape)
        return np.zeros((len(pixels), 2), np.float32)

    assert measure(forward, 32) > 0
    assert shapes == [(16, 32, 32, 3)] * (speeds.BATCHES + 1)


def test_the_processor_has_a_name() -> None:
    """It is half of the key."""
    assert speeds.processor()
    assert set(asdict(MOBILE)) == {"backbone", "family", "size", "multiply_adds"}


def test_no_torch() -> None:
    """Pages show times."""
    code = "import sys, transfer_core.advice.speed; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "False"

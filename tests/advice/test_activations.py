"""How much a network computes for one picture: counted for all of torchvision's, estimated for others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from transfer_core.advice.activations import PER_GIGA, _counted, _key, activations, count
from transfer_core.backbones.catalogue import backbone_info, catalogue


def test_all_but_timms_are_counted() -> None:
    assert {_key(info) for info in catalogue().values() if info.family != "timm"} == set(_counted())


@pytest.mark.parametrize("name", ["starter", "squeezenet1_1", "resnet18"])
def test_the_count_is_the_networks(name: str) -> None:
    info = backbone_info(name)
    assert activations(info) == count(info) > 0


def test_what_was_not_counted_is_estimated() -> None:
    info = replace(backbone_info("resnet18"), architecture="timm/new", multiply_adds=8.0)
    assert activations(info) == pytest.approx(2 * PER_GIGA)

from __future__ import annotations

from typing import Any

import pytest

from transfer_core.backbones.catalogue import backbone_info
from transfer_core.errors import SettingsError
from transfer_core.training.conflicts import CHECKS
from transfer_core.training.settings import RunSettings

EACH: list[tuple[dict[str, Any], str, dict[str, Any]]] = [
    ({"freeze": 30}, "too-deep", {"freeze": 2}),
    ({"freeze": "none", "unfreeze_every": 2, "epochs": 16}, "stage-not-reached", {"epochs": 17}),
    ({"freeze": "all", "unfreeze_every": 2}, "nothing-to-unfreeze", {"unfreeze_every": 0}),
    ({"steps": 5, "minutes": 2}, "two-lengths", {"minutes": 0}),
    ({"precision": "fp16", "device": "cpu"}, "precision-not-possible", {"precision": "bf16"}),
    ({"image_size": 100}, "size-not-possible", {"image_size": 96}),
    ({"head": "prototype", "mixup": 0.2}, "mixing-prototypes", {"head": "linear"}),
]


def conflicts(**values: Any) -> list[str]:
    settings = RunSettings(**{"plan": "custom", "backbone": "mobilenet_v2"} | values)
    return [conflict.code for conflict in settings.conflicts(backbone_info(settings.backbone))]


@pytest.mark.parametrize(("values", "code", "cure"), EACH)
def test_each_is_found_and_its_cure_cures(values: dict[str, Any], code: str, cure: dict[str, Any]) -> None:
    """The conflict is told by its code; with what its cure says it is gone."""
    assert conflicts(**values) == [code]
    assert conflicts(**values | cure) == []


def test_a_backbone_of_one_size_says_so() -> None:
    assert conflicts(backbone="vit_b_16", image_size=256) == ["size-not-possible"]
    assert conflicts(backbone="vit_b_16", image_size=224) == []


def test_all_are_told_at_once() -> None:
    """One error with every field and every cure."""
    together: dict[str, Any] = {}
    for values, _code, _cure in EACH:
        together |= values
    settings = RunSettings(**together | {"plan": "custom", "backbone": "mobilenet_v2"})
    with pytest.raises(SettingsError) as caught:
        settings.check_fit(backbone_info("mobilenet_v2"))
    for field in ("unfreeze_every", "minutes", "precision", "image_size", "mixup"):
        assert f"{field}: " in caught.value.message and field in (caught.value.fix or "")


def test_other_plans_have_none() -> None:
    """What a plan does not use does not matter."""
    assert conflicts(plan="quick", freeze=30, steps=5, minutes=2) == []


def test_every_check_is_tried_here() -> None:
    """A new one needs a line above."""
    assert len(CHECKS) == len(EACH)

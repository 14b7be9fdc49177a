"""What each depth of freezing costs, and which one is called wise."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from transfer_core.advice import depths as module
from transfer_core.advice.depths import Amount, Task, depths, in_words, wise_stages
from transfer_core.advice.speed import Speed
from transfer_core.backbones.catalogue import backbone_info, catalogue
from transfer_core.backbones.network import outline
from transfer_core.errors import SettingsError
from transfer_core.models.head_cost import head_cost
from transfer_core.models.heads import LinearHead
from transfer_core.models.transfer_model import TransferModel
from transfer_core.training.settings import RunSettings

SOME = Amount(train=200, val=40, classes=5)


@pytest.mark.parametrize("name", ["mobilenet_v2", "resnet18", "vit_b_16", "starter"])
def test_the_parameters_are_those_that_learn(name: str) -> None:
    """As the network itself counts them, at every depth."""
    info = backbone_info(name)
    model = TransferModel(outline(info), LinearHead(info.feature_count, SOME.classes))
    found = depths(Task(info, SOME), head_cost("linear", info.feature_count, SOME.classes).parameters, None)
    assert len(found) == len(info.stages) + 1
    for depth in found:
        model.freeze(depth.freeze)
        assert model.source.boundary == depth.frozen
        assert sum(parameter.numel() for parameter in model.parameters_to_train()) == depth.parameters
        assert tuple(stage.name for stage, _parameters in model.source.parameter_groups()) == depth.trained


@pytest.mark.parametrize("name", list(catalogue()))
def test_every_backbone_has_depths_that_the_settings_take(name: str) -> None:
    """From nothing frozen to all: less and less learns, an epoch takes less and less time, and one depth is wise."""
    info = catalogue()[name]
    found = depths(Task(info, SOME), 100, Speed(50.0, True))
    assert [found[0].freeze, found[-1].freeze] == ["none", "all"]
    assert found[-1].parameters == 100
    assert [depth.parameters for depth in found] == sorted((depth.parameters for depth in found), reverse=True)
    seconds = [depth.seconds or 0.0 for depth in found]
    assert seconds == sorted(seconds, reverse=True) and seconds[-1] > 0
    assert sum(bool(depth.wise) for depth in found) == 1
    for depth in found:
        RunSettings(plan="custom", backbone=name, freeze=depth.freeze).check_fit(info)
        assert in_words(depth.frozen, len(info.stages)) == depth.freeze


def test_time_is_the_forward_pass_and_twice_the_trained_part_again() -> None:
    info = backbone_info("resnet50")
    found = depths(Task(info, SOME), 0, Speed(100.0, False))
    one_pass = 1 / (100 * module.TORCH)
    assert found[-1].seconds == pytest.approx(240 * one_pass)
    assert found[0].seconds == pytest.approx((200 * module.FORWARD_AND_BACKWARD + 40) * one_pass)
    last = info.stages[-1].multiply_adds / sum(stage.multiply_adds for stage in info.stages)
    extra = 200 * (module.FORWARD_AND_BACKWARD - 1) * last
    assert found[-2].seconds == pytest.approx((240 + extra) * one_pass)
    assert not found[0].measured and depths(Task(info, SOME), 0, None)[0].seconds is None


def test_the_boundary_on_disk_is_the_activation_of_every_picture_to_learn_from() -> None:
    info = backbone_info("mobilenet_v2")
    backbone = outline(info).to("meta")
    found = depths(Task(info, SOME), 0, None)
    assert found[0].boundary_bytes == 0
    for depth in found[1:]:
        shape = backbone.prefix(depth.frozen)(torch.empty(1, 3, info.crop, info.crop, device="meta")).shape
        assert depth.boundary_bytes == SOME.train * shape.numel() * 2


def test_without_known_stages_there_is_all_or_nothing() -> None:
    info = replace(backbone_info("resnet18"), stages=())
    nothing, everything = depths(Task(info, SOME), 10, Speed(10.0, True))
    assert (nothing.freeze, everything.freeze) == ("none", "all")
    assert (nothing.parameters, everything.parameters) == (info.parameters + 10, 10)
    assert nothing.seconds and everything.seconds and nothing.seconds > 2 * everything.seconds
    assert everything.boundary_bytes == SOME.train * info.feature_count * 2
    assert everything.wise and depths(Task(info, Amount(50_000, 0, 10)), 10, None)[0].wise


@pytest.mark.parametrize(
    ("train", "classes", "stages"),
    [
        (0, 0, 0),
        (60, 2, 0),
        (40, 5, 0),
        (400, 40, 0),
        (250, 5, 1),
        (999, 3, 1),
        (5_000, 10, 2),
        (5_000, 200, 1),
        (25_000, 10, 1000),
        (25_000, 1_000, 1),
    ],
)
def test_more_pictures_train_more_stages(train: int, classes: int, stages: int) -> None:
    assert wise_stages(Amount(train, 0, classes)) == stages


def test_rules_go_up() -> None:
    for one, two in zip(module.RULES, module.RULES[1:], strict=False):
        assert one.pictures < two.pictures and one.each <= two.each and one.stages < two.stages


def test_more_stages_than_there_are_is_a_problem_of_the_settings() -> None:
    info = backbone_info("resnet18")
    RunSettings(plan="custom", freeze=5).check_fit(info)
    RunSettings(plan="quick", freeze=6).check_fit(info)
    RunSettings(plan="custom", freeze=6).check_fit(replace(info, stages=()))
    with pytest.raises(SettingsError) as caught:
        RunSettings(plan="custom", freeze=6).check_fit(info)
    assert caught.value.message.startswith("freeze:") and caught.value.fix and "5" in caught.value.message

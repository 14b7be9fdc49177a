import pytest

from transfer_core.backbones.catalogue import backbone_info, catalogue
from transfer_core.backbones.network import outline
from transfer_core.backbones.stages import FAMILIES, Between, Stage

SMALLEST = {
    family: min((info for info in catalogue().values() if info.family == family), key=lambda info: info.parameters).name
    for family in FAMILIES
}


def _check(name: str) -> None:
    backbone = outline(backbone_info(name))
    names = list(backbone.network.state_dict())
    owners = [[index for index, stage in enumerate(backbone.stages) if stage.holds(each)] for each in names]
    assert all(len(owner) == 1 for owner in owners), [n for n, o in zip(names, owners, strict=True) if len(o) != 1]
    order = [owner[0] for owner in owners]
    assert set(order) == set(range(len(backbone.stages)))
    assert order == sorted(order), "stages are in the order of the network"
    assert [stage.name for stage in backbone.stages] == ["stem", *(f"stage{i}" for i in range(1, len(backbone.stages)))]
    assert len(backbone.stages) >= 3


def test_every_family_of_the_catalogue_has_stages() -> None:
    assert set(FAMILIES) == {info.family for info in catalogue().values()}


@pytest.mark.parametrize("name", ["starter", *SMALLEST.values()])
def test_every_parameter_belongs_to_one_stage(name: str) -> None:
    _check(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(catalogue()))
def test_every_parameter_of_every_network_belongs_to_one_stage(name: str) -> None:
    _check(name)


def test_a_pool_closes_the_stage_before_it() -> None:
    stages = outline(backbone_info("vgg11")).stages
    assert stages[0].prefixes == ("features.0", "features.1", "features.2")
    assert stages[-1].prefixes[-3:] == ("features.20", "avgpool", "classifier")
    assert len(stages) == 5


def test_what_comes_between_modules_names_the_parameters_it_uses() -> None:
    stage = Stage("stem", ("conv", Between(lambda network, activation: activation, ("token",))))
    assert stage.prefixes == ("conv", "token")
    assert stage.holds("token")


def test_a_prefix_ends_at_a_dot() -> None:
    stage = Stage("stage1", ("features.1",))
    assert stage.holds("features.1")
    assert stage.holds("features.1.weight")
    assert not stage.holds("features.10.weight")


@pytest.mark.parametrize(
    ("name", "last"),
    [
        ("resnet18", ("layer4",)),
        ("mobilenet_v2", ("features.17", "features.18", "classifier")),
        ("mobilenet_v3_large", ("features.13", "features.14", "features.15", "features.16", "classifier")),
        ("efficientnet_b0", ("features.7", "features.8", "classifier")),
        ("convnext_tiny", ("features.7", "avgpool", "classifier")),
        ("densenet121", ("features.denseblock4", "features.norm5")),
        ("squeezenet1_1", ("features.9", "features.10", "features.11", "features.12")),
        ("swin_t", ("features.7", "norm", "permute")),
    ],
)
def test_the_last_stage_goes_up_to_the_head(name: str, last: tuple[str, ...]) -> None:
    assert outline(backbone_info(name)).stages[-1].prefixes == last


def test_transformers_are_cut_in_quarters() -> None:
    stages = outline(backbone_info("vit_b_32")).stages
    assert [len(stage.prefixes) for stage in stages] == [4, 3, 3, 3, 4]
    assert stages[-1].prefixes[-1] == "encoder.ln"

"""Matching by name and shape: wrappers' prefixes and foreign heads don't count, a larger network does."""

from __future__ import annotations

import pytest

from transfer_core.backbones.catalogue import backbone_info, catalogue
from transfer_core.backbones.match import Match, Shapes, fitting, match_names, prefixes, stripped, without_prefixes
from transfer_core.backbones.network import outline, whole_network, without_memory

RESNET = backbone_info("resnet18")


def shapes(name: str) -> dict[str, tuple[int, ...]]:
    """Of the whole network, as its file has them."""
    info = backbone_info(name)
    with without_memory(info.family):
        network = whole_network(info.architecture, info.family, info.minimum_size)
    return {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}


def headless(name: str) -> dict[str, tuple[int, ...]]:
    return {key: tuple(tensor.shape) for key, tensor in outline(backbone_info(name)).network.state_dict().items()}


EXPECTED = headless("resnet18")


def match(given: Shapes) -> Match:
    names = without_prefixes(given, EXPECTED, given)
    return match_names(RESNET, EXPECTED, {name: given[own] for name, own in names.items()})


@pytest.mark.parametrize(
    "prefix",
    [
        "",
        "module.",
        "model.",
        "backbone.",
        "_orig_mod.",
        "module.model.",
        "model.module.",
        "_orig_mod.module.",
        "module._orig_mod.backbone.",
        "model.backbone.module.",
        "module.module.",
    ],
)
def test_prefixes_of_wrappers_do_not_count(prefix: str) -> None:
    found = match({prefix + name: shape for name, shape in shapes("resnet18").items()})
    assert found.fits
    assert len(found.matched) == len(EXPECTED)
    assert found.left_over == ["fc.weight", "fc.bias"]
    assert not found.in_the_way


def test_what_was_compiled_inside_is_found_as_well() -> None:
    given = {name.replace("layer1.", "layer1._orig_mod."): shape for name, shape in EXPECTED.items()}
    assert match(given).fits


def test_a_prefix_is_taken_off_only_where_more_names_match() -> None:
    """A network may have a module of that name."""
    assert stripped(["model.a", "b"], "model.") == {"a": "model.a", "b": "b"}
    assert without_prefixes(["model.a", "b"], {"model.a": (1,), "b": (2,)}, {"model.a": (1,), "b": (2,)}) == {
        "model.a": "model.a",
        "b": "b",
    }
    assert without_prefixes(["model.a", "a"], {"a": (1,)}, {"model.a": (1,), "a": (2,)}) == {"a": "model.a"}


def test_the_prefixes_that_could_be_taken_off() -> None:
    assert prefixes(["module.model.a", "module.b", "modules.c", "_orig_mod.d"]) == ["", "module.", "module.model."]


def test_names_beside_the_prefixed_ones_stay_left_over() -> None:
    given = {f"backbone.{name}": shape for name, shape in EXPECTED.items()} | {
        "head.weight": (5, 512),
        "refusal.reference": (9, 512),
    }
    found = match(given)
    assert found.fits
    assert found.left_over == ["head.weight", "refusal.reference"]


def test_other_heads_are_tolerated() -> None:
    heads = {"fc.weight": (7, 512), "fc.0.weight": (128, 512), "projector.2.weight": (64, 128), "aux.weight": (1,)}
    assert match(EXPECTED | heads).fits


def test_a_deeper_network_does_not_pass() -> None:
    """All of resnet18 but shapes of the shortcut is in resnet34: what is left over in its own modules tells them apart."""
    found = match(shapes("resnet34"))
    assert not found.missing and not found.other_shape
    assert not found.fits
    assert "layer1.2.conv1.weight" in found.in_the_way


def test_missing_and_other_shapes() -> None:
    given = EXPECTED | {"conv1.weight": (64, 1, 7, 7)}
    del given["bn1.weight"], given["bn1.num_batches_tracked"]
    found = match(given)
    assert not found.fits
    assert (found.missing, found.other_shape) == (["bn1.weight"], ["conv1.weight"])
    assert "conv1.weight" not in found.matched


@pytest.mark.parametrize("prefix", ["", "module.", "model.backbone."])
@pytest.mark.parametrize(
    "name", ["starter", "resnet18", "resnet34", "mobilenet_v3_small", "vgg11", "convnext_tiny", "swin_t", "maxvit_t", "vit_b_32"]
)
def test_the_backbone_of_a_file_is_recognised(name: str, prefix: str) -> None:
    given = headless(name) if name == "starter" else shapes(name)
    extra = {"projection.weight": (3, 3), "classifier.9.weight": (2, 2)}
    assert fitting({prefix + key: shape for key, shape in (given | extra).items()}) == backbone_info(name)


def test_the_image_size_of_a_transformer_tells_its_weights() -> None:
    given = shapes("vit_b_16.IMAGENET1K_SWAG_E2E_V1")
    assert fitting(given) == backbone_info("vit_b_16.IMAGENET1K_SWAG_E2E_V1")


def test_what_is_of_no_network_of_ours_is_not_recognised() -> None:
    assert fitting({"layers.0.weight": (3, 3)}) is None
    assert fitting(EXPECTED | {"layer4.2.conv1.weight": (512, 512, 3, 3)}) is None
    assert fitting({}) is None


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in catalogue() if "." not in name and not name.startswith("regnet")])
def test_every_network_is_recognised_by_its_own_names(name: str) -> None:
    given = headless(name) if name == "starter" else shapes(name)
    assert fitting(given) == backbone_info(name)

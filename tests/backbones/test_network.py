from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from transfer_core.backbones.catalogue import backbone_info
from transfer_core.backbones.network import (
    Backbone,
    FromPixels,
    Frozen,
    build_backbone,
    check_size,
    load_backbone,
    outline,
    smallest_size,
)
from transfer_core.backbones.weights import adopt, kept_weights
from transfer_core.errors import BackboneError, WeightsError

LIGHT = [
    "efficientnet_b0",
    "googlenet",
    "mnasnet0_5",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "regnet_y_400mf",
    "resnet18",
    "shufflenet_v2_x0_5",
    "squeezenet1_1",
]
HEAVY = [
    "alexnet",
    "convnext_tiny",
    "densenet121",
    "efficientnet_v2_s",
    "inception_v3",
    "maxvit_t",
    "regnet_x_400mf",
    "swin_t",
    "swin_v2_t",
    "vgg11_bn",
    "vit_b_16",
]
ALL = [*LIGHT, *(pytest.param(name, marks=pytest.mark.slow) for name in HEAVY)]


def _size(name: str) -> int:
    return max(64, smallest_size(backbone_info(name)))


@pytest.mark.parametrize("name", ALL)
def test_features_are_what_torchvisions_head_is_given(name: str, whole: Callable[[str], nn.Module]) -> None:
    network, info = whole(name), backbone_info(name)
    if hasattr(network, "transform_input"):
        assert network.transform_input, "the pretrained weights want it"
    given: list[Tensor] = []
    network.get_submodule(info.head).register_forward_pre_hook(lambda module, arguments: given.append(arguments[0]))
    pictures = torch.randn(2, 3, _size(name), _size(name))
    state = {key: tensor for key, tensor in network.state_dict().items() if not key.startswith(f"{info.head}.")}
    backbone = outline(info).load(state)
    with torch.no_grad():
        network(pictures)
        features = backbone(pictures)
    expected = given[0].mean((2, 3)) if given[0].ndim == 4 else given[0]
    assert features.shape == (2, info.feature_count) == (2, backbone.feature_count)
    torch.testing.assert_close(features, expected, rtol=1e-4, atol=1e-6)


def test_normalising_is_torchvisions() -> None:
    from torchvision.transforms.functional import normalize

    backbone = build_backbone(replace(backbone_info("squeezenet1_1"), mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6)))
    pixels = torch.rand(2, 3, 8, 8)
    torch.testing.assert_close(backbone.normalise(pixels), normalize(pixels, [0.1, 0.2, 0.3], [0.4, 0.5, 0.6]))


def test_pixels_go_in_as_they_are_kept(lively: Callable[[str, int], Backbone]) -> None:
    backbone = lively("mobilenet_v3_small", 64)
    pixels = torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8)
    with torch.no_grad():
        expected = backbone(backbone.normalise(pixels.permute(0, 3, 1, 2) / 255))
        torch.testing.assert_close(FromPixels(backbone)(pixels)[-1], expected, rtol=1e-4, atol=1e-4)


def _trained(backbone: Backbone) -> set[str]:
    return {name for name, parameter in backbone.network.named_parameters() if parameter.requires_grad}


def test_freezing_is_told_in_stages() -> None:
    backbone = build_backbone(backbone_info("mobilenet_v2"))
    everything = {name for name, _parameter in backbone.network.named_parameters()}
    assert _trained(backbone) == everything
    assert _trained(backbone.freeze("all")) == set()
    last = {name for name, _parameter in backbone.stage_parameters(backbone.stages[-1])}
    assert _trained(backbone.freeze("last-stage")) == last
    assert {name.split(".")[1] for name in last} == {"17", "18"}
    assert _trained(backbone.freeze(len(backbone.stages) - 2)) > last
    assert _trained(backbone.freeze("none")) == everything


def test_freezing_by_name_freezes_what_is_named_and_nothing_else() -> None:
    backbone = build_backbone(backbone_info("squeezenet1_1"))
    everything = set(backbone.network.state_dict())
    stage = {name for name in everything if backbone.stages[1].holds(name)}
    assert _trained(backbone.freeze(["stage1"])) == everything - stage
    assert _trained(backbone.freeze(["features.3.squeeze", "features.0.bias"])) == everything - {
        "features.3.squeeze.weight",
        "features.3.squeeze.bias",
        "features.0.bias",
    }
    assert backbone.boundary == 0
    assert _trained(backbone.freeze("stem")) == {name for name in everything if not backbone.stages[0].holds(name)}
    assert backbone.boundary == 1


def test_the_boundary_is_where_learning_begins() -> None:
    backbone = build_backbone(backbone_info("squeezenet1_1"))
    assert [backbone.freeze(number).boundary for number in range(5)] == [0, 1, 2, 3, 4]
    assert [backbone.freeze(word).boundary for word in ("none", "last-stage", "all")] == [0, 3, 4]


@pytest.mark.parametrize("wrong", ["last", "", ["stem", "stage9"], 9, -1])
def test_what_a_network_does_not_have_cannot_be_frozen(wrong: Frozen) -> None:
    with pytest.raises(BackboneError) as caught:
        build_backbone(backbone_info("squeezenet1_1")).freeze(wrong)
    assert caught.value.code == "unknown-stage"


def test_parameters_come_by_stage() -> None:
    backbone = build_backbone(backbone_info("squeezenet1_1")).freeze(2)
    groups = backbone.parameter_groups()
    assert [stage.name for stage, _parameters in groups] == ["stage2", "stage3"]
    assert {id(p) for _stage, parameters in groups for p in parameters} == {
        id(p) for p in backbone.network.parameters() if p.requires_grad
    }


def test_statistics_that_training_leaves_alone_are_named() -> None:
    backbone = build_backbone(backbone_info("mobilenet_v2")).freeze("last-stage")
    assert set(backbone.fixed_buffers()) == {name for name, _buffer in backbone.network.named_buffers()}
    backbone.batch_statistics = True
    assert all(
        backbone.stages[-1].holds(name) for name, _b in backbone.network.named_buffers() if name not in backbone.fixed_buffers()
    )
    assert len(backbone.fixed_buffers()) < len(list(backbone.network.named_buffers()))
    assert {type(module).__name__ for module in outline(backbone_info("convnext_tiny")).normalisations().values()} == {
        "LayerNorm2d",
        "LayerNorm",
    }


def check_composition(name: str, network: nn.Module) -> None:
    """Prefix and suffix at two boundaries are the network that torchvision wrote down, to 1e-5."""
    info = backbone_info(name)
    given: list[Tensor] = []
    network.get_submodule(info.head).register_forward_pre_hook(lambda module, arguments: given.append(arguments[0]))
    backbone = outline(info).load(
        {key: tensor for key, tensor in network.state_dict().items() if not key.startswith(f"{info.head}.")}
    )
    pictures = torch.randn(2, 3, _size(name), _size(name), generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        network(pictures)
        expected = given[0].mean((2, 3)) if given[0].ndim == 4 else given[0]
        for boundary in (1, len(backbone.stages) - 1):
            activation = backbone.prefix(boundary)(pictures)
            features = backbone.suffix(boundary)(activation)
            assert features.shape == (2, info.feature_count)
            assert (features - expected).abs().max() <= 1e-5 * expected.abs().max(), f"{name} at boundary {boundary}"


@pytest.mark.parametrize("name", ALL)
def test_prefix_and_suffix_are_the_whole_network(name: str, whole: Callable[[str], nn.Module]) -> None:
    check_composition(name, whole(name))


def test_boundaries_that_are_not_there_are_refused() -> None:
    backbone = build_backbone(backbone_info("squeezenet1_1"))
    with pytest.raises(ValueError, match="0 to 4"):
        backbone.prefix(5)


def test_frozen_stages_and_batchnorm_stay_in_eval_mode() -> None:
    backbone = build_backbone(backbone_info("efficientnet_b0")).train()
    modes = {type(module).__name__: module.training for module in backbone.network.modules()}
    assert backbone.training
    assert not modes["BatchNorm2d"]
    assert modes["Dropout"]
    backbone.freeze("last-stage")
    training = [name for name, module in backbone.network.named_modules() if module.training and not list(module.children())]
    assert all(name.startswith(("features.7", "features.8", "classifier", "avgpool")) for name in training), training
    assert any(name.startswith("features.7") for name in training)
    assert not any(module.training for module in backbone.freeze("all").network.modules())
    backbone.freeze("none").eval()
    assert not any(module.training for module in backbone.modules())


def test_running_statistics_are_kept_while_training() -> None:
    backbone = build_backbone(backbone_info("mobilenet_v3_small")).train()
    before = {name: buffer.clone() for name, buffer in backbone.network.named_buffers()}
    optimiser = torch.optim.SGD(backbone.parameters(), 0.1)
    backbone(torch.randn(2, 3, 64, 64)).sum().backward()
    optimiser.step()
    assert all(torch.equal(buffer, before[name]) for name, buffer in backbone.network.named_buffers())
    backbone.batch_statistics = True
    backbone.freeze("last-stage").train()(torch.randn(2, 3, 64, 64))
    changed = {name for name, buffer in backbone.network.named_buffers() if not torch.equal(buffer, before[name])}
    assert changed
    assert all(backbone.stages[-1].holds(name) for name in changed)


@pytest.mark.parametrize("change", ["missing", "extra", "shape"])
def test_loading_is_strict(change: str) -> None:
    backbone = build_backbone(backbone_info("squeezenet1_1"))
    state = dict(backbone.network.state_dict())
    if change == "missing":
        del state["features.0.weight"]
    else:
        state["more" if change == "extra" else "features.0.weight"] = torch.zeros(3)
    with pytest.raises(WeightsError) as caught:
        backbone.load(state)
    assert caught.value.code == "weights-mismatch"


def test_loading_shares_nothing_with_another_network() -> None:
    first, second = (build_backbone(backbone_info("squeezenet1_1")) for _ in range(2))
    second.load(first.network.state_dict())
    with torch.no_grad():
        for parameter in second.parameters():
            parameter.zero_()
    assert all(parameter.abs().sum() > 0 for name, parameter in first.named_parameters() if name.endswith("weight"))


@pytest.mark.parametrize("name", ["mnasnet0_5", "mobilenet_v3_small", "regnet_y_400mf"])
def test_kept_weights_are_loaded_as_they_were(name: str, saved: Callable[[str], Path], whole: Callable[[str], nn.Module]) -> None:
    backbone = load_backbone(adopt(name, saved(name)))
    assert not backbone.training
    state = whole(name).state_dict()
    for key, tensor in backbone.network.state_dict().items():
        assert torch.equal(tensor, state[key])
    assert all(parameter.requires_grad and parameter.device.type == "cpu" for parameter in backbone.parameters())
    assert backbone(backbone.normalise(torch.rand(1, 3, 64, 64))).shape == (1, backbone.feature_count)


def test_altered_weights_are_not_loaded(saved: Callable[[str], Path]) -> None:
    kept = adopt("squeezenet1_1", saved("squeezenet1_1"))
    data = bytearray(kept.file.read_bytes())
    data[-1] ^= 1
    kept.file.write_bytes(data)
    with pytest.raises(WeightsError) as caught:
        load_backbone(kept)
    assert caught.value.code == "weights-hash"
    assert "squeezenet1_1" in (caught.value.fix or "")


def test_deleted_weights_are_told_of(saved: Callable[[str], Path]) -> None:
    kept = adopt("squeezenet1_1", saved("squeezenet1_1"))
    kept.file.unlink()
    with pytest.raises(WeightsError) as caught:
        load_backbone(kept)
    assert caught.value.code == "weights-missing"


@pytest.mark.usefixtures("starter")
def test_the_starter_is_float16_on_disk_and_float32_in_memory() -> None:
    backbone = load_backbone(kept_weights("starter")[0])
    assert {parameter.dtype for parameter in backbone.parameters()} == {torch.float32}
    assert backbone(torch.randn(2, 3, 64, 64)).shape == (2, 576)


def test_real_weights_give_torchvisions_features(real_weights: Callable[[str], Path]) -> None:
    from torchvision.models import mobilenet_v2

    file = real_weights("mobilenet_v2-imagenet.pth")
    network = mobilenet_v2().eval()
    network.load_state_dict(torch.load(file, weights_only=True))
    pictures = torch.randn(2, 3, 224, 224)
    backbone = load_backbone(adopt("mobilenet_v2", file))
    with torch.no_grad():
        expected = network.features(pictures).mean((2, 3))
        torch.testing.assert_close(backbone(pictures), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("name", "size"), [("vit_b_16", 225), ("maxvit_t", 192), ("squeezenet1_1", 31), ("inception_v3", 64)])
def test_sizes_that_cannot_be_are_refused(name: str, size: int) -> None:
    with pytest.raises(BackboneError) as caught:
        check_size(backbone_info(name), size)
    assert caught.value.code == "size-not-possible"


@pytest.mark.parametrize(("name", "size"), [("vit_b_16", 224), ("swin_t", 96), ("squeezenet1_1", 32), ("resnet18", 320)])
def test_sizes_that_can_be_pass(name: str, size: int) -> None:
    check_size(backbone_info(name), size)

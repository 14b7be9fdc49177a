import json
import subprocess
import sys
from dataclasses import asdict

import pytest

from transfer_core.backbones.catalogue import CATALOGUE, backbone_info, catalogue, layout_of
from transfer_core.errors import BackboneError
from transfer_core.images.view import View

RECORDED = json.loads(CATALOGUE.read_bytes())


def test_the_starter_comes_first_and_torchvision_follows() -> None:
    names = list(catalogue())
    assert names[0] == "starter"
    assert len(names) == 81
    assert names[1:] == sorted(names[1:])


def test_an_entry_tells_what_the_page_shows() -> None:
    info = backbone_info("resnet50")
    assert (info.family, info.title, info.weights) == ("resnet", "ResNet50", "IMAGENET1K_V2")
    assert (info.parameters, info.feature_count, info.crop, info.resize) == (25557032, 2048, 224, 232)
    assert info.accuracy == pytest.approx(80.858)
    assert info.multiply_adds == pytest.approx(4.089)
    assert info.file_size == pytest.approx(102.5e6, rel=0.01)
    assert info.view == View(224, 232)


def test_every_view_is_possible_and_close_to_torchvisions() -> None:
    odd = [info.name for info in catalogue().values() if info.view.resize != info.resize]
    assert not odd
    assert backbone_info("inception_v3").resize == 343
    assert backbone_info("efficientnet_b1").resize == 256


def test_licences_for_non_commercial_use_are_only_where_nothing_else_is() -> None:
    licensed = {info.name for info in catalogue().values() if info.licence and info.name != "starter"}
    assert licensed == {"regnet_y_128gf", "vit_h_14"}


def test_a_wrong_name_is_answered_with_close_ones() -> None:
    with pytest.raises(BackboneError) as caught:
        backbone_info("ResNet-50")
    assert caught.value.code == "unknown-backbone"
    assert "resnet50" in (caught.value.fix or "")


def test_a_name_like_no_other_is_answered_with_the_command() -> None:
    with pytest.raises(BackboneError, match="transfer-studio backbones"):
        backbone_info("qqqqqqqq")


def test_no_download_address_is_written_down() -> None:
    assert ".pth" not in CATALOGUE.read_text()


def test_layouts_tell_all_architectures_apart() -> None:
    assert len({info.layout for info in catalogue().values()}) == 81


def test_a_layout_ignores_order_and_batch_counters() -> None:
    first = layout_of({"a.weight": (1, 2), "b.weight": (3,), "b.num_batches_tracked": ()})
    assert first == layout_of({"b.weight": (3,), "a.weight": (1, 2)})
    assert first != layout_of({"b.weight": (3,), "a.weight": (2, 1)})


def test_torch_is_not_loaded_for_the_catalogue() -> None:
    code = (
        "import sys; from transfer_core.backbones import catalogue, weights, graph, stages; "
        "catalogue.catalogue(); weights.kept_weights(); print([m for m in ('torch', 'torchvision') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def _same_version() -> None:
    from transfer_core.backbones.prepare_catalogue import version

    if version() != RECORDED["torchvision"]:
        pytest.skip(f"the catalogue was written from torchvision {RECORDED['torchvision']}, and {version()} is installed")


def test_the_metadata_is_torchvisions() -> None:
    from transfer_core.backbones.prepare_catalogue import metadata, names

    _same_version()
    built = ("feature_count", "head", "layout")
    recorded = {name: {k: v for k, v in entry.items() if k not in built} for name, entry in RECORDED["backbones"].items()}
    del recorded["starter"]
    assert recorded == {name: metadata(name) for name in names()}


@pytest.mark.parametrize("name", ["mobilenet_v2", "squeezenet1_1", "googlenet"])
def test_the_architecture_is_torchvisions(name: str) -> None:
    from transfer_core.backbones.prepare_catalogue import architecture

    _same_version()
    entry = asdict(backbone_info(name))
    assert architecture(name, entry["family"], entry["minimum_size"]).items() <= entry.items()


@pytest.mark.slow
def test_the_whole_file_is_what_torchvision_says() -> None:
    from transfer_core.backbones.prepare_catalogue import prepare

    _same_version()
    assert prepare() == RECORDED

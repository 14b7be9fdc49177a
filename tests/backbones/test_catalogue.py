import json
import re
import subprocess
import sys
from dataclasses import replace

import pytest

from transfer_core.backbones.catalogue import CATALOGUE, backbone_info, catalogue, layout_of
from transfer_core.errors import BackboneError
from transfer_core.images.view import View

RECORDED = json.loads(CATALOGUE.read_bytes())


def test_the_starter_then_every_architecture_then_the_other_weights() -> None:
    """The order is what lists show, and plain names are what commands have always taken."""
    names = list(catalogue())
    assert names[0] == "starter"
    assert len(names) == 116
    assert names[1:81] == sorted(name for name in names[1:] if "." not in name)
    assert all("." in name for name in names[81:])
    assert len({info.architecture for info in catalogue().values()}) == 81


def test_an_entry_tells_what_the_page_shows() -> None:
    info = backbone_info("resnet50")
    assert (info.family, info.title, info.weights) == ("resnet", "ResNet50", "IMAGENET1K_V2")
    assert (info.architecture, info.weights_file) == ("resnet50", "resnet50-11ad3fa6.pth")
    assert (info.parameters, info.feature_count, info.crop, info.resize) == (25557032, 2048, 224, 232)
    assert info.accuracy == pytest.approx(80.858)
    assert info.multiply_adds == pytest.approx(4.089)
    assert info.file_size == pytest.approx(102.5e6, rel=0.01)
    assert info.view == View(224, 232)


def test_the_same_network_with_other_weights_is_another_backbone() -> None:
    info, preferred = backbone_info("resnet50.IMAGENET1K_V1"), backbone_info("resnet50")
    assert (info.architecture, info.weights_file, info.title) == ("resnet50", "resnet50-0676ba61.pth", "ResNet50 (V1)")
    assert (info.accuracy, info.resize) == (pytest.approx(76.13), 256)
    assert (info.layout, info.modules) == (preferred.layout, preferred.modules)


@pytest.mark.parametrize(
    ("spelled", "name"),
    [
        ("resnet50.IMAGENET1K_V2", "resnet50"),
        ("resnet50.imagenet1k_v2", "resnet50"),
        ("resnet50.imagenet1k_v1", "resnet50.IMAGENET1K_V1"),
        ("vit_h_14.IMAGENET1K_SWAG_E2E_V1", "vit_h_14"),
    ],
)
def test_weights_can_be_spelled_out(spelled: str, name: str) -> None:
    assert backbone_info(spelled).name == name


@pytest.mark.parametrize("name", ["resnet50.", "resnet50.IMAGENET1K_V3", "starter.", "ResNet50.IMAGENET1K_V1", ""])
def test_other_spellings_are_unknown(name: str) -> None:
    with pytest.raises(BackboneError):
        backbone_info(name)


def test_names_are_safe_in_file_names_on_every_system() -> None:
    """Weights and graphs are named after them; Windows ignores case, and refuses signs and final dots."""
    names = list(catalogue())
    assert all(re.fullmatch(r"[a-z0-9_]+(\.[A-Z0-9_]+)?", name) for name in names)
    assert len({name.lower() for name in names}) == len(names)


def test_image_sizes_and_layouts_belong_to_the_weights() -> None:
    """A transformer's position embedding is made for one size, so its weights for another size are of another layout."""
    small, large = backbone_info("vit_b_16"), backbone_info("vit_b_16.IMAGENET1K_SWAG_E2E_V1")
    assert (small.crop, large.crop, large.minimum_size) == (224, 384, 384)
    assert small.layout != large.layout
    assert all(info.crop == info.minimum_size for info in catalogue().values() if info.family == "vision_transformer")


def test_weights_without_a_classifier_leave_all_of_it_off() -> None:
    """VGG16's for object detectors hold nothing of use there: what is before it is the backbone."""
    info = backbone_info("vgg16.IMAGENET1K_FEATURES")
    assert (info.accuracy, info.head, info.modules, info.feature_count) == (None, "classifier", ("features",), 25088)
    assert [each.name for each in catalogue().values() if each.accuracy is None] == ["starter", info.name]


def test_a_backbone_knows_its_own_modules() -> None:
    info = backbone_info("vgg11")
    assert info.modules == ("features", "classifier.0", "classifier.3")
    assert info.holds("classifier.0.weight") and not info.holds("classifier.6.weight") and not info.holds("features2.weight")
    assert backbone_info("vit_b_32").holds("class_token")


def test_every_view_is_possible_and_close_to_torchvisions() -> None:
    odd = [info.name for info in catalogue().values() if info.view.resize != info.resize]
    assert not odd
    assert backbone_info("inception_v3").resize == 343
    assert backbone_info("efficientnet_b1").resize == 256


def test_licences_that_forbid_commercial_use_are_flagged_and_preferred_only_where_nothing_else_is() -> None:
    flagged = {info.name for info in catalogue().values() if info.non_commercial}
    assert flagged == {info.name for info in catalogue().values() if "SWAG" in info.weights}
    assert len(flagged) == 12
    assert {name for name in flagged if "." not in name} == {"regnet_y_128gf", "vit_h_14"}


def test_no_licence_is_unknown() -> None:
    """One that torchvision adds must be read by a person before it counts as free."""
    assert {info.licence for info in catalogue().values() if not info.non_commercial} == {None, "Apache-2.0"}


def test_a_wrong_name_is_answered_with_close_ones() -> None:
    with pytest.raises(BackboneError) as caught:
        backbone_info("ResNet-50")
    assert caught.value.code == "unknown-backbone"
    assert "resnet50" in (caught.value.fix or "")


def test_a_name_like_no_other_is_answered_with_the_command() -> None:
    with pytest.raises(BackboneError, match="transfer-studio backbones"):
        backbone_info("qqqqqqqq")


def test_no_download_address_is_written_down() -> None:
    addresses = {info.licence for info in catalogue().values() if info.non_commercial}
    text = CATALOGUE.read_text()
    assert text.count("://") == sum(text.count(address) for address in addresses if address)


def test_layouts_tell_all_architectures_apart() -> None:
    """And image sizes of one: what is shared is shared by weights of the same network alone."""
    owners: dict[str, set[tuple[str, int]]] = {}
    for info in catalogue().values():
        size = info.crop if info.family == "vision_transformer" else 0
        owners.setdefault(info.layout, set()).add((info.architecture, size))
    assert all(len(networks) == 1 for networks in owners.values())
    assert len(owners) == 81 + 3 + 1  # transformers at other sizes, and VGG16 without its classifier


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
    from transfer_core.backbones.prepare_catalogue import entries, metadata, names

    _same_version()
    only_built = ("feature_count", "head", "modules", "layout", "stages")
    recorded = {name: {k: v for k, v in entry.items() if k not in only_built} for name, entry in RECORDED["backbones"].items()}
    del recorded["starter"]
    assert recorded == {key: metadata(name, entry) for name in names() for key, entry in entries(name).items()}


def test_every_entry_of_torchvisions_is_there() -> None:
    from torchvision.models import get_model_weights

    from transfer_core.backbones.prepare_catalogue import names

    _same_version()
    published = {(name, entry.name, entry.url.rpartition("/")[2]) for name in names() for entry in get_model_weights(name)}
    recorded = [(info.architecture, info.weights, info.weights_file) for info in catalogue().values() if info.weights]
    assert len(names()) == 80
    assert len(recorded) == len(published) and set(recorded) == published


@pytest.mark.parametrize("name", ["mobilenet_v2", "squeezenet1_1", "googlenet", "vgg16.IMAGENET1K_FEATURES"])
def test_the_architecture_is_torchvisions(name: str) -> None:
    from transfer_core.backbones.prepare_catalogue import built

    _same_version()
    entry = RECORDED["backbones"][name]
    assert built(entry).items() <= entry.items()


@pytest.mark.slow
def test_the_whole_file_is_what_torchvision_says() -> None:
    from transfer_core.backbones.prepare_catalogue import prepare

    _same_version()
    assert prepare() == RECORDED


@pytest.mark.parametrize(
    ("family", "licence", "forbids", "recommended"),
    [
        ("resnet", None, False, True),
        ("timm", "apache-2.0", False, True),
        ("timm", "MIT", False, True),
        ("timm", "cc-by-nc-4.0", True, False),
        ("timm", "apple-ascl", False, False),
        ("timm", "other", False, False),
        ("timm", None, False, False),
    ],
)
def test_weights_of_a_licence_of_their_own_are_the_users_decision(
    family: str, licence: str | None, forbids: bool, recommended: bool
) -> None:
    info = replace(catalogue()["resnet18"], family=family, licence=licence)
    assert info.non_commercial == forbids
    assert info.may_be_recommended == recommended

"""Where weights are taken from: torchvision's own address, or the mirror of the environment or the user."""

from __future__ import annotations

from pathlib import Path

import pytest

from transfer_core.backbones.catalogue import STARTER, backbone_info, catalogue
from transfer_core.backbones.download import hash_in_name
from transfer_core.backbones.published import MIRROR, Published, choose_mirror, mirror, published, published_as
from transfer_core.errors import SettingsError, WeightsError


def test_every_published_file_is_named_in_the_catalogue_with_its_hash() -> None:
    """Without the hash a download could not be checked, nor a file that was brought be recognised."""
    for info in catalogue().values():
        if info.name != STARTER:
            file = published(info)
            assert file.entry.endswith(f"_Weights.{info.weights}")
            assert file.address.startswith("https://")
            assert file.name == info.weights_file
            assert len(hash_in_name(info.weights_file)) >= 8


def test_a_hash_tells_which_published_file_it_is() -> None:
    assert published_as("0676ba61" + "0" * 56) == backbone_info("resnet50.IMAGENET1K_V1")
    assert published_as("11ad3fa6" + "0" * 56) == backbone_info("resnet50")
    assert published_as("0" * 64) is None


def test_the_starter_is_published_nowhere() -> None:
    with pytest.raises(WeightsError) as caught:
        published(backbone_info(STARTER))
    assert caught.value.code == "weights-missing"


def test_the_environments_mirror_goes_before_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = Published("ResNet18_Weights.IMAGENET1K_V1", "https://example.org/models/resnet18-f37072fd.pth")
    assert (mirror(), file.nearest) == ("", file.address)
    choose_mirror(f" {tmp_path}/ ")
    assert file.nearest == f"{tmp_path}/resnet18-f37072fd.pth"
    monkeypatch.setenv(MIRROR, "https://mirror.example.org/weights/")
    assert file.nearest == "https://mirror.example.org/weights/resnet18-f37072fd.pth"
    monkeypatch.delenv(MIRROR)
    choose_mirror("")
    assert mirror() == ""


@pytest.mark.parametrize("text", ["nowhere/at/all", "ftp://example.org"])
def test_a_mirror_that_can_not_be_is_refused(text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        choose_mirror(text)
    assert caught.value.code == "weights-mirror" and caught.value.fix
    assert mirror() == ""

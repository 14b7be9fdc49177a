import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from transfer_core.backbones import weights
from transfer_core.backbones.download import hash_in_name
from transfer_core.backbones.weights import adopt, fetch, kept_weights, obtain, remove
from transfer_core.errors import BackboneError, WeightsError

ADDRESS = "https://example.org/models/squeezenet1_1-{digest}.pth"


@pytest.fixture
def published(saved: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A mirror folder with weights of squeezenet1_1 as if torchvision had published them; returns the file."""
    file = saved("squeezenet1_1")
    address = ADDRESS.format(digest=hashlib.sha256(file.read_bytes()).hexdigest()[:8])
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    monkeypatch.setattr(weights, "_published", lambda info: ("SqueezeNet1_1_Weights.IMAGENET1K_V1", address))
    monkeypatch.setenv("TRANSFER_STUDIO_WEIGHTS_MIRROR", str(mirror))
    return file.rename(mirror / address.rpartition("/")[2])


def test_adopted_weights_are_kept_without_the_classifier(saved: Callable[[str], Path], whole: Callable[[str], nn.Module]) -> None:
    file = saved("squeezenet1_1")
    content = file.read_bytes()
    kept = adopt("squeezenet1_1", file)
    assert kept.file.name == f"squeezenet1_1-{kept.digest[:16]}.safetensors"
    assert kept.digest == hashlib.sha256(kept.file.read_bytes()).hexdigest()
    assert kept.source == "squeezenet1_1.pth"
    assert file.read_bytes() == content
    state = whole("squeezenet1_1").state_dict()
    tensors = load_file(kept.file)
    assert tensors.keys() == {name for name in state if not name.startswith("classifier")}
    assert all(torch.equal(tensor, state[name]) for name, tensor in tensors.items())
    record = json.loads(kept.file.with_suffix(".json").read_bytes())
    assert record["schema"] == 1
    assert record["source_digest"] == hashlib.sha256(content).hexdigest()
    assert kept_weights("squeezenet1_1") == [kept]
    assert kept_weights("squeezenet1_0") == []


def test_a_file_is_adopted_once_and_then_recognised_without_torch(saved: Callable[[str], Path], tmp_path: Path) -> None:
    file = saved("squeezenet1_1")
    kept = adopt("squeezenet1_1", file)
    moved = file.rename(tmp_path / "another name.pth")
    code = (
        "import sys; from pathlib import Path; from transfer_core.backbones.weights import adopt; "
        f"print(adopt('squeezenet1_1', Path({str(moved)!r})).digest, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [kept.digest, "False"]


def test_our_own_copy_is_recognised_as_well(saved: Callable[[str], Path], tmp_path: Path) -> None:
    kept = adopt("squeezenet1_1", saved("squeezenet1_1"))
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(kept.file.read_bytes())
    assert adopt("squeezenet1_1", copy) == kept


def test_the_newest_come_first(tmp_path: Path, whole: Callable[[str], nn.Module]) -> None:
    adopted = []
    for index in range(3):
        state = whole("squeezenet1_1").state_dict()
        state["features.0.bias"] += index
        torch.save(state, tmp_path / f"{index}.pth")
        adopted.append(adopt("squeezenet1_1", tmp_path / f"{index}.pth"))
        os.utime(adopted[-1].file, (index, index))
    assert kept_weights("squeezenet1_1") == adopted[::-1]
    assert obtain("squeezenet1_1") == adopted[-1]


def test_files_that_others_put_there_are_passed_over(saved: Callable[[str], Path]) -> None:
    kept = adopt("squeezenet1_1", saved("squeezenet1_1"))
    folder = kept.file.parent
    (folder / "foreign.safetensors").write_bytes(b"?")
    (folder / "torn.safetensors").write_bytes(b"?")
    (folder / "torn.json").write_text('{"backbone": ')
    (folder / "renamed.safetensors").write_bytes(b"?")
    (folder / "renamed.json").write_bytes(kept.file.with_suffix(".json").read_bytes())
    assert kept_weights("squeezenet1_1") == [kept]


def test_an_unknown_backbone_is_told_before_the_file_is_read(tmp_path: Path) -> None:
    for call in (lambda: adopt("squeezenet", tmp_path / "none.pth"), lambda: obtain("squeezenet"), lambda: fetch("squeezenet")):
        with pytest.raises(BackboneError) as caught:
            call()
        assert caught.value.code == "unknown-backbone"


def test_removed_weights_take_their_graphs_along(saved: Callable[[str], Path]) -> None:
    kept = adopt("squeezenet1_1", saved("squeezenet1_1"))
    (kept.file.parent / f"{kept.stem}-224.onnx").write_bytes(b"?")
    remove(kept)
    assert kept_weights("squeezenet1_1") == []
    assert not list(kept.file.parent.glob("squeezenet*"))


def test_the_starter_is_always_there(starter: Path) -> None:
    built_in = kept_weights()[0]
    assert (built_in.backbone, built_in.file, built_in.source) == ("starter", starter, "")
    assert built_in.digest == hashlib.sha256(starter.read_bytes()).hexdigest()
    assert obtain("starter") == fetch("starter") == built_in
    remove(built_in)
    assert starter.exists()


def test_fetched_weights_are_kept_under_torchvisions_entry(published: Path) -> None:
    told = list[tuple[int, int]]()
    kept = obtain("squeezenet1_1", progress=lambda done, total: told.append((done, total)))
    assert kept.source == "SqueezeNet1_1_Weights.IMAGENET1K_V1"
    assert told[-1] == (published.stat().st_size, published.stat().st_size)
    assert not list((kept.file.parent / "downloads").glob("*.pth"))
    published.unlink()
    assert fetch("squeezenet1_1") == obtain("squeezenet1_1") == kept


def test_a_file_goes_before_what_is_here(published: Path, saved: Callable[[str], Path]) -> None:
    fetched = fetch("squeezenet1_1")
    state = torch.load(published, weights_only=True)
    state["features.0.bias"] += 1
    torch.save(state, published.with_name("own.pth"))
    assert obtain("squeezenet1_1", published.with_name("own.pth")) not in (fetched,)


def test_a_poisoned_mirror_is_refused(published: Path) -> None:
    published.write_bytes(published.read_bytes() + b"more")
    with pytest.raises(WeightsError) as caught:
        fetch("squeezenet1_1")
    assert caught.value.code == "weights-hash"
    assert kept_weights("squeezenet1_1") == []


def test_fetching_can_be_stopped(published: Path) -> None:
    with pytest.raises(WeightsError) as caught:
        fetch("squeezenet1_1", should_stop=lambda: True)
    assert caught.value.code == "stopped"
    assert kept_weights("squeezenet1_1") == []


def test_a_mirror_without_the_file_names_it(published: Path) -> None:
    published.unlink()
    with pytest.raises(WeightsError) as caught:
        fetch("squeezenet1_1")
    assert caught.value.code == "weights-not-found"
    assert f"--weights {published.name}" in (caught.value.fix or "")


def test_every_published_file_has_its_hash_in_its_name() -> None:
    from transfer_core.backbones.catalogue import STARTER, catalogue

    for info in catalogue().values():
        if info.name != STARTER:
            entry, address = weights._published(info)
            assert entry.endswith(f"_Weights.{info.weights}")
            assert address.startswith("https://")
            assert len(hash_in_name(address.rpartition("/")[2])) >= 8

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from tests.backbones.file_server import FileServer
from transfer_core.backbones import catalogue, downloads, weights
from transfer_core.backbones.download import CHUNK
from transfer_core.backbones.downloads import discard_download, place_of, unfinished_downloads
from transfer_core.backbones.published import Published
from transfer_core.backbones.weights import adopt, fetch, kept_published, kept_weights, obtain, remove
from transfer_core.errors import BackboneError, WeightsError

ADDRESS = "https://example.org/models/squeezenet1_1-{digest}.pth"


def publish(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """Have squeezenet1_1's weights be published at `address`, and the catalogue know the file's name."""
    known = dict(catalogue._read())
    known["squeezenet1_1"] = replace(known["squeezenet1_1"], weights_file=address.rpartition("/")[2])
    monkeypatch.setattr(catalogue, "_read", lambda: known)
    monkeypatch.setattr(weights, "published", lambda info: Published("SqueezeNet1_1_Weights.IMAGENET1K_V1", address))


@pytest.fixture
def published(saved: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A mirror folder with weights of squeezenet1_1 as if torchvision had published them; returns the file."""
    file = saved("squeezenet1_1")
    address = ADDRESS.format(digest=hashlib.sha256(file.read_bytes()).hexdigest()[:8])
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    publish(monkeypatch, address)
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
    assert f"transfer-studio weights add {published.name}" in (caught.value.fix or "")
    assert "https://example.org/models" in (caught.value.fix or ""), "where it can be had, not the mirror that lacks it"


def test_a_published_file_brought_by_hand_is_not_fetched_again(published: Path, tmp_path: Path) -> None:
    brought = published.rename(tmp_path / "from a stick.pth")
    kept = adopt("squeezenet1_1", brought)
    assert fetch("squeezenet1_1") == kept == kept_published(catalogue.backbone_info("squeezenet1_1"))


def test_weights_of_the_users_own_are_not_taken_for_the_published_ones(published: Path, tmp_path: Path) -> None:
    state = torch.load(published, weights_only=True)
    state["features.0.bias"] += 1
    torch.save(state, tmp_path / "own.pth")
    own = adopt("squeezenet1_1", tmp_path / "own.pth")
    assert kept_published(catalogue.backbone_info("squeezenet1_1")) is None
    assert fetch("squeezenet1_1") != own


def test_a_spelled_out_name_means_the_same_weights(saved: Callable[[str], Path]) -> None:
    kept = adopt("squeezenet1_1.imagenet1k_v1", saved("squeezenet1_1"))
    assert kept.backbone == "squeezenet1_1"
    assert obtain("squeezenet1_1.IMAGENET1K_V1") == obtain("squeezenet1_1") == kept


def test_other_weights_of_the_same_network_are_kept_apart(saved: Callable[[str], Path]) -> None:
    """And under a file name with the dot of their own name in it."""
    file = saved("mobilenet_v2")
    first, second = adopt("mobilenet_v2", file), adopt("mobilenet_v2.IMAGENET1K_V1", file)
    assert (first.digest, second.backbone) == (second.digest, "mobilenet_v2.IMAGENET1K_V1")
    assert second.file.name == f"mobilenet_v2.IMAGENET1K_V1-{second.digest[:16]}.safetensors"
    assert kept_weights("mobilenet_v2") == [first]
    assert kept_weights("mobilenet_v2.IMAGENET1K_V1") == [second]
    remove(first)
    assert kept_weights("mobilenet_v2.IMAGENET1K_V1") == [second]


def test_a_stopped_download_is_carried_on_or_thrown_away(published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with FileServer(published.read_bytes()).running() as server:
        publish(monkeypatch, f"{server.address}/{published.name}")
        monkeypatch.delenv("TRANSFER_STUDIO_WEIGHTS_MIRROR")
        for _round in range(2):
            with pytest.raises(WeightsError, match="stopped"):
                fetch("squeezenet1_1", should_stop=lambda: True)
            if _round == 0:
                assert (discard_download("squeezenet1_1"), discard_download("squeezenet1_1")) == (True, False)
        kept = fetch("squeezenet1_1")
        assert server.ranges_asked == [None, None, f"bytes={CHUNK}-"]
        assert kept_weights("squeezenet1_1") == [kept]
        assert not [file for file in (kept.file.parent / "downloads").iterdir() if file.suffix != ".lock"]


FETCHING = """
import sys
from transfer_core.backbones import catalogue, downloads, weights
from transfer_core.backbones.download import CHUNK
from transfer_core.backbones.downloads import discard_download, place_of, unfinished_downloads
from transfer_core.backbones.published import Published
from dataclasses import replace
known = dict(catalogue._read())
known["squeezenet1_1"] = replace(known["squeezenet1_1"], weights_file=sys.argv[1].rpartition("/")[2])
catalogue._read = lambda: known
weights.published = lambda info: Published("SqueezeNet1_1_Weights.IMAGENET1K_V1", sys.argv[1])
told = []
print(weights.fetch("squeezenet1_1", lambda done, total: told.append(done)).digest, len(told))
"""


def test_of_two_processes_one_downloads_and_the_other_finds_it(published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRANSFER_STUDIO_WEIGHTS_MIRROR")
    go_on = threading.Event()
    with FileServer(published.read_bytes(), before_piece=lambda sent: go_on.wait(60)).running() as server:
        command = [sys.executable, "-c", FETCHING, f"{server.address}/{published.name}"]
        processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        # Time for both to ask; were it too short for the second, it would find the weights, and the test still be true.
        threading.Timer(6.0, go_on.set).start()
        answers = [process.communicate(timeout=120)[0].split() for process in processes]
        assert len(server.sent) == 1, "one request for the file"
    assert [process.returncode for process in processes] == [0, 0]
    assert answers[0][0] == answers[1][0] == kept_weights("squeezenet1_1")[0].digest
    assert all(int(count) > 0 for _digest, count in answers), "the one that waits shows how far the other has come"


def test_waiting_for_another_process_can_be_stopped(published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from filelock import FileLock

    monkeypatch.setattr(downloads, "LOOK_AGAIN", 0.01)
    with FileLock(place_of(f"{published.name}.lock")), pytest.raises(WeightsError) as caught:
        fetch("squeezenet1_1", should_stop=lambda: True)
    assert caught.value.code == "stopped"


def test_what_is_being_downloaded_is_not_thrown_away(published: Path) -> None:
    from filelock import FileLock

    place_of(f"{published.name}.partial").write_bytes(b"?")
    with FileLock(place_of(f"{published.name}.lock")):
        assert discard_download("squeezenet1_1") is False
    assert unfinished_downloads() == {"squeezenet1_1": 1}
    assert discard_download("squeezenet1_1") is True
    assert unfinished_downloads() == {}


def test_a_file_that_arrived_whole_before_the_interruption_is_not_downloaded_again(
    published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(weights, "adopt", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fetch("squeezenet1_1")
    assert unfinished_downloads() == {"squeezenet1_1": published.stat().st_size}
    published.unlink()
    kept = fetch("squeezenet1_1")
    assert kept_weights("squeezenet1_1") == [kept] and unfinished_downloads() == {}

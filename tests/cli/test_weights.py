"""`weights` lists, fetches, adds and removes; a fetch that is interrupted is carried on by the same command."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torchvision import models

from tests.backbones.file_server import FileServer
from transfer_core.backbones.download import CHUNK
from transfer_core.backbones.weights import kept_weights
from transfer_core.cli import main

Answer = Callable[..., tuple[int, Any]]
ROOT = Path(__file__).parents[2]
BACKBONE = "squeezenet1_1"


@pytest.fixture(scope="session")
def state_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state dict with random parameters, as a user would bring one."""
    torch.manual_seed(0)
    file = tmp_path_factory.mktemp("weights") / "own.pth"
    torch.save(models.squeezenet1_1(weights=None).state_dict(), file)
    return file


def test_a_file_is_checked_then_added_then_listed_then_removed(answer: Answer, state_file: Path) -> None:
    code, data = answer("weights", "add", state_file, "--check")
    assert (code, data["weights"], data["inspection"]["backbone"], data["inspection"]["usable"]) == (0, None, BACKBONE, True)
    assert data["inspection"]["match"]["left_over"] == ["classifier.1.weight", "classifier.1.bias"]
    assert kept_weights(BACKBONE) == []

    code, data = answer("weights", "add", state_file)
    kept = kept_weights(BACKBONE)[0]
    assert code == 0 and data["weights"]["digest"] == kept.digest and data["weights"]["source"] == "own.pth"

    code, data = answer("weights", "list")
    assert [each["name"] for each in data["weights"]] == ["starter", BACKBONE]
    assert data["weights"][1] == {
        "name": BACKBONE,
        "digest": kept.digest,
        "file": str(kept.file),
        "source": "own.pth",
        "size": kept.file.stat().st_size,
        "built_in": False,
    }
    assert data["unfinished"] == []
    assert {each["name"] for each in answer("backbones")[1] if each["here"]} == {"starter", BACKBONE}

    code, data = answer("weights", "remove", kept.digest[:8], BACKBONE)
    assert code == 0 and [each["digest"] for each in data["removed"]] == [kept.digest]
    assert kept_weights(BACKBONE) == []


def test_what_people_read(capsys: pytest.CaptureFixture[str], state_file: Path) -> None:
    assert main(["weights", "add", str(state_file)]) == 0
    out = capsys.readouterr().out
    assert f"{BACKBONE}: 722,496 parameters of {state_file} fit." in out
    assert "Left over: 2 (classifier.1.weight, classifier.1.bias)" in out and "Kept: " in out
    assert main(["weights", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["name", "digest", "size", "from"] and lines[2].split()[0] == BACKBONE
    assert main(["weights", "remove", BACKBONE]) == 0
    assert "Removed: " in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [("--check",), ()])
def test_a_file_of_another_backbone_is_refused_with_the_match(
    arguments: tuple[str, ...], answer: Answer, capsys: pytest.CaptureFixture[str], state_file: Path
) -> None:
    code, data = answer("weights", "add", state_file, "--backbone", "resnet18", *arguments)
    assert code == 2 and data["error"]["code"] == "weights-mismatch" and BACKBONE in data["error"]["fix"]
    assert "conv1.weight" in data["inspection"]["match"]["missing"] and not data["inspection"]["usable"]
    assert main(["weights", "add", str(state_file), "--backbone", "resnet18", *arguments]) == 2
    captured = capsys.readouterr()
    assert "Missing: 100 (conv1.weight" in captured.out and "does not fit resnet18" in captured.err
    assert [kept.backbone for kept in kept_weights()] == ["starter"]


def test_a_model_folder_is_added(answer: Answer, tmp_path: Path) -> None:
    state = models.squeezenet1_1(weights=None).features.state_dict(prefix="backbone.features.")
    (tmp_path / "model").mkdir()
    save_file(state | {"head.weight": torch.zeros(2, 512)}, tmp_path / "model" / "model.safetensors")
    code, data = answer("weights", "add", tmp_path / "model")
    assert (code, data["weights"]["name"], data["inspection"]["match"]["left_over"]) == (0, BACKBONE, ["head.weight"])


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("add", "nothing.pth"), "weights-missing"),
        (("add", "nothing.pth", "--backbone", "resnet19"), "unknown-backbone"),
        (("fetch", "resnet50", "resnet19"), "unknown-backbone"),
        (("remove", "starter"), "weights-built-in"),
        (("remove", "resnet50"), "weights-not-here"),
        (("remove", "0123456789"), "weights-not-here"),
        (("remove", "resnet19"), "unknown-backbone"),
        (("remove",), "usage"),
    ],
)
def test_errors(arguments: tuple[str, ...], error: str, answer: Answer) -> None:
    code, data = answer("weights", *arguments)
    assert code == 2 and data["error"]["code"] == error and data["error"]["fix"]
    assert kept_weights("starter"), "the built-in one stays"


def test_nothing_is_removed_where_one_can_not_be(answer: Answer, state_file: Path) -> None:
    answer("weights", "add", state_file)
    assert answer("weights", "remove", BACKBONE, "starter")[0] == 2
    assert len(kept_weights(BACKBONE)) == 1


# The command, with weights published on a server of the test's.
FETCHING = """
import signal, sys
from dataclasses import replace
from transfer_core.backbones import catalogue, weights
from transfer_core.backbones.published import Published
from transfer_core.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)
known = dict(catalogue._read())
known["squeezenet1_1"] = replace(known["squeezenet1_1"], weights_file=sys.argv[1].rpartition("/")[2])
catalogue._read = lambda: known
weights.published = lambda info: Published("SqueezeNet1_1_Weights.IMAGENET1K_V1", sys.argv[1])
sys.exit(main(sys.argv[2:]))
"""


def fetching(server: FileServer, *arguments: str) -> list[str]:
    name = f"squeezenet1_1-{hashlib.sha256(server.content).hexdigest()[:8]}.pth"
    return [sys.executable, "-c", FETCHING, f"{server.address}/{name}", "weights", *arguments]


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C can't be sent to one process there")
def test_ctrl_c_keeps_what_has_arrived_and_the_same_command_goes_on(state_file: Path) -> None:
    with FileServer(state_file.read_bytes()).running() as server:
        server.before_piece = lambda sent: sent >= 3 * CHUNK and time.sleep(0.2)
        process = subprocess.Popen(
            fetching(server, "fetch", BACKBONE, "--json"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
        )
        while not server.sent or server.sent[0] < 3 * CHUNK:
            assert process.poll() is None
            time.sleep(0.01)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        out, _err = process.communicate(timeout=60)
        assert process.returncode == 2
        error = json.loads(out.splitlines()[-1])["error"]
        assert error["code"] == "stopped" and "transfer-studio weights fetch squeezenet1_1" in error["fix"]

        listed = subprocess.run(fetching(server, "list", "--json"), capture_output=True, text=True, cwd=ROOT)
        begun = json.loads(listed.stdout.splitlines()[-1])["unfinished"]
        assert [each["name"] for each in begun] == [BACKBONE] and begun[0]["done"] >= 2 * CHUNK

        server.before_piece = lambda sent: None
        done = subprocess.run(fetching(server, "fetch", BACKBONE, "--json"), capture_output=True, text=True, cwd=ROOT)
        assert done.returncode == 0, done.stderr
        assert server.ranges_asked == [None, f"bytes={begun[0]['done']}-"]
        assert server.sent[1] == len(server.content) - begun[0]["done"]
    kept = json.loads(done.stdout.splitlines()[-1])["weights"]
    assert [each["digest"] for each in kept] == [each.digest for each in kept_weights(BACKBONE)]
    assert BACKBONE in done.stderr and "\r" not in done.stderr, "the line that is written over is for terminals"


def test_without_a_network_the_command_says_what_to_bring(answer: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    with FileServer(b"").running() as closed:
        monkeypatch.setenv("TRANSFER_STUDIO_WEIGHTS_MIRROR", closed.address)
    monkeypatch.setenv("no_proxy", "*")
    code, data = answer("weights", "fetch", "resnet18")
    assert code == 2 and data["error"]["code"] == "weights-offline"
    assert "transfer-studio weights add resnet18-f37072fd.pth" in data["error"]["fix"]


def test_a_licence_that_forbids_commercial_use_is_told_before_the_download(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TRANSFER_STUDIO_WEIGHTS_MIRROR", str(tmp_path))
    assert main(["weights", "fetch", "vit_h_14"]) == 2
    assert "forbids commercial use" in capsys.readouterr().err

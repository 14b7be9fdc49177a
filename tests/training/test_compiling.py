"""A training that is compiled learns the same, is scored uncompiled, and remembers that it is."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from transfer_core.backbones.catalogue import backbone_info
from transfer_core.backbones.network import build_backbone
from transfer_core.models.transfer_model import TransferModel
from transfer_core.training import compiling, custom
from transfer_core.training.choices import Choices
from transfer_core.training.context import Stopped


class Backend:
    """Stands for the compiler: hands the traced network back as it is, and counts."""

    def __init__(self) -> None:
        self.compiled = 0
        self.ran = 0

    def __call__(self, graph, _example):
        self.compiled += 1

        def run(*given):
            self.ran += 1
            return graph(*given)

        return run


class Told:
    def emit(self, event: str, **fields) -> None:
        assert event == "notice" and "compiled" in fields["message"]


def test_eager_where_it_is_asked_for() -> None:
    torch._dynamo.reset()
    backend = Backend()
    model = TransferModel(build_backbone(backbone_info("squeezenet1_1")), 2).eval()
    pictures = torch.rand(2, 3, 64, 64)
    expected = model(pictures)
    compiling.compile_for_training(Told(), model, backend)
    with compiling.in_eager(model):
        assert torch.equal(model(pictures), expected) and backend.ran == 0
    assert torch.allclose(model(pictures), expected, atol=1e-6) and backend.ran > 0


def test_on_graphics_cards_and_for_long_trainings_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "_has_compiler", lambda: True)
    card, long = torch.device("cuda"), compiling.REPAID_AFTER + 1
    assert compiling.worth_compiling(card, long)
    assert not compiling.worth_compiling(card, compiling.REPAID_AFTER)
    assert not compiling.worth_compiling(torch.device("cpu"), long)
    monkeypatch.setattr(compiling, "_has_compiler", lambda: False)
    assert not compiling.worth_compiling(card, long)


def test_the_same_model_comes_out(pictures, run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole batches go through the compiled network, the smaller last one of each epoch and what is scored do not."""
    torch._dynamo.reset()
    settings = {"plan": "custom", "epochs": 2, "batch_size": 8, "freeze": "last-stage"}
    folder = pictures(count=10)
    plain = run(folder, "plain", **settings)
    expected = plain.go()
    backend = Backend()
    monkeypatch.setattr(custom, "worth_compiling", lambda _device, _seconds: True)
    monkeypatch.setattr(custom, "compile_for_training", partial(compiling.compile_for_training, backend=backend))
    compiled = run(folder, "compiled", **settings)

    def stop(ran) -> str | None:
        return "stop" if len(ran.told("epoch")) == 1 else None

    with pytest.raises(Stopped):
        compiled.go(stop)
    first = backend.ran
    assert Choices.read(compiled.folder).compiled
    report = compiled.go()
    assert 0 < first < backend.ran
    assert report["val"]["accuracy"] == expected["val"]["accuracy"] and report["test"]["accuracy"] == expected["test"]["accuracy"]
    losses = [[event["train_loss"] for event in ran.told("epoch")] for ran in (plain, compiled)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)

"""Heads: what each computes in torch, in NumPy and in the graph is the same, and each states what it costs."""

import numpy as np
import pytest
import torch

from transfer_core.errors import ModelError
from transfer_core.models.heads import HEADS, MLPHead, make_head
from transfer_core.models.layers import apply, at_temperature


def blobs(count: int = 60, width: int = 8, classes: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(count) % classes
    centres = 3 * torch.randn(classes, width, generator=generator)
    return centres[labels] + torch.randn(count, width, generator=generator), labels


@pytest.mark.parametrize("kind", list(HEADS))
def test_numpy_computes_what_torch_does(kind: str) -> None:
    torch.manual_seed(2)
    features, labels = blobs()
    head = make_head(kind, 8, 3).fit(features, labels).eval()
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.add_(torch.randn(parameter.shape) * 0.1)
        expected = head(features).log_softmax(1).numpy()
    logits = apply(at_temperature(head.layers(), 0.5), features.numpy()) * 0.5
    found = torch.from_numpy(logits).log_softmax(1).numpy()  # a constant for all classes changes no answer
    assert np.allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("kind", ["logistic", "cosine", "prototype"])
def test_heads_that_can_begin_from_features_know_the_classes_at_once(kind: str) -> None:
    features, labels = blobs()
    head = make_head(kind, 8, 3).fit(features, labels)
    assert (head(features).argmax(1) == labels).float().mean() > 0.95


@pytest.mark.parametrize("kind", ["linear", "mlp"])
def test_heads_that_start_from_nothing_find_every_class_as_likely(kind: str) -> None:
    features, _labels = blobs()
    assert torch.allclose(make_head(kind, 8, 3).eval()(features).softmax(1), torch.full((60, 3), 1 / 3), atol=1e-5)


def test_what_a_head_costs() -> None:
    counts = {kind: make_head(kind, 100, 4).parameter_count for kind in HEADS}
    assert counts["linear"] == counts["logistic"] == 404
    assert counts["cosine"] == 401 and counts["prototype"] == 400
    assert counts["mlp"] == 100 * 256 + 256 + 256 * 4 + 4
    assert make_head("mlp", 100, 4, widths=[10, 5]).multiply_adds == 100 * 10 + 10 * 5 + 5 * 4
    assert make_head("linear", 100, 4).multiply_adds == 400


def test_dropout_is_for_training_alone() -> None:
    torch.manual_seed(0)
    head = MLPHead(8, 3, widths=(64,), dropout=0.5)
    with torch.no_grad():
        head.output.weight.normal_()
    features = torch.randn(4, 8)
    assert torch.equal(head.eval()(features), head(features))
    assert not torch.equal(head.train()(features), head(features))


@pytest.mark.parametrize("kind", list(HEADS))
def test_a_head_learns_by_gradients(kind: str) -> None:
    torch.manual_seed(0)
    features, labels = blobs()
    head = make_head(kind, 8, 3).train()
    optimiser = torch.optim.Adam(head.parameters(), 0.05)
    losses = []
    for _step in range(60):
        loss = torch.nn.functional.cross_entropy(head(features), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_a_class_without_pictures_breaks_nothing() -> None:
    features, labels = blobs()
    for kind in ("cosine", "prototype"):
        assert torch.isfinite(make_head(kind, 8, 4).fit(features, labels)(features)).all()


@pytest.mark.parametrize(("kind", "settings"), [("forest", {}), ("linear", {"widths": [3]}), ("mlp", {"widths": []})])
def test_a_head_that_cannot_be_is_a_sentence(kind: str, settings: dict[str, object]) -> None:
    with pytest.raises(ModelError):
        make_head(kind, 8, 3, **settings)

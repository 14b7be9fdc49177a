from __future__ import annotations

import pytest
import torch

from transfer_core.training.mixing import _share, mix
from transfer_core.training.settings import RunSettings

COUNT, SIDE = 6, 32


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures of one colour each, equal to their number, and labels of a class each."""
    pictures = torch.arange(COUNT, dtype=torch.float32).view(-1, 1, 1, 1).expand(-1, 3, SIDE, SIDE).contiguous()
    return pictures, torch.eye(COUNT)


@pytest.mark.parametrize("settings", [{"mixup": 0.4}, {"cutmix": 1.0}, {"mixup": 1.0, "cutmix": 1.0}])
@pytest.mark.parametrize("seed", range(8))
def test_labels_say_what_is_to_be_seen(settings: dict[str, float], seed: int) -> None:
    """The share of each class in a label is the share of its picture in the mixed one, to the pixel."""
    pictures, labels = batch()
    mixed, shares = mix(pictures, labels, RunSettings(**settings), torch.Generator().manual_seed(seed))
    assert mixed.shape == pictures.shape and torch.allclose(shares.sum(1), torch.ones(COUNT))
    seen = mixed.mean((1, 2, 3))
    told = (shares * torch.arange(COUNT, dtype=torch.float32)).sum(1)
    assert torch.allclose(seen, told, atol=1e-4)


def test_both_ways_are_taken() -> None:
    """With mixup and cutmix each comes up: a cut picture has whole colours alone, a blended one has none of them."""
    pictures, labels = batch()
    settings = RunSettings(mixup=1.0, cutmix=1.0)
    made = [mix(pictures, labels, settings, torch.Generator().manual_seed(seed))[0] for seed in range(20)]
    whole = [bool((picture == picture.round()).all()) for picture in made]
    assert 3 < sum(whole) < 17


def test_without_them_nothing_is_mixed() -> None:
    pictures, labels = batch()
    assert mix(pictures, labels, RunSettings(), torch.Generator())[0] is pictures


def test_a_single_picture_has_no_partner() -> None:
    pictures, labels = batch()
    assert torch.equal(mix(pictures[:1], labels[:1], RunSettings(mixup=1), torch.Generator())[1], labels[:1])


@pytest.mark.parametrize("alpha", [0.2, 1.0, 2.0])
def test_shares_are_distributed_as_beta(alpha: float) -> None:
    """Mean and variance of Beta(alpha, alpha), over 4,000 draws."""
    generator = torch.Generator().manual_seed(0)
    drawn = torch.tensor([_share(alpha, generator) for _draw in range(4000)])
    assert float(drawn.mean()) == pytest.approx(0.5, abs=0.02)
    assert float(drawn.var()) == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.06)

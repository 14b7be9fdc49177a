"""Answers: a step's pictures come with what was said of them, the same after a break, and each is shown about as often as wanted."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch import Tensor

from transfer_core.backbones.starter import answers
from transfer_core.backbones.starter.answers import Answers, normalised
from transfer_core.backbones.starter.teacher import Told


def make(number: int) -> Tensor:
    """Four pictures whose left side tells which they are; their right side is white."""
    pictures = torch.ones(4, 3, 2, 2)
    pictures[..., 0] = ((torch.arange(4) + 4 * number) / 255).view(4, 1, 1)
    return pictures


def ask(pictures: Tensor) -> Told:
    """Says how bright each is, and gives the pictures back as the hint."""
    said = pictures.mean((1, 2, 3))[:, None]
    return Told(said, 2 * said, [pictures])


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "FIRST", 2)


def of(seed: int = 0) -> Answers:
    return Answers(make, ask, seed=seed, batch=4, shows=3, kept=4)


def test_every_picture_has_its_own_answer() -> None:
    mirrored = set()
    for step in range(20):
        pictures, told = (given := of()(step)).pictures, given.told
        assert pictures.is_contiguous(memory_format=torch.channels_last)
        assert torch.allclose(told.pooled, pictures.mean((1, 2, 3))[:, None], atol=2e-3)
        assert torch.allclose(told.logits, 2 * told.pooled, atol=4e-3) and torch.allclose(told.hints[0], pictures, atol=2e-3)
        mirrored.add(bool(pictures[0, 0, 0, 0] > pictures[0, 0, 0, 1]))
    assert mirrored == {False, True}


def test_after_a_break_a_step_gets_the_same() -> None:
    whole = of()
    through = [whole(step).pictures for step in range(30)]
    for step in (0, 7, 29):
        assert torch.equal(of()(step).pictures, through[step])
    assert not torch.equal(of(seed=1)(7).pictures, through[7])


def test_a_picture_is_shown_about_as_often_as_wanted() -> None:
    shown: Counter[int] = Counter()
    whole, steps = of(), 120
    for step in range(steps):
        shown.update((whole(step).told.pooled[:, 0] * 1000).round().int().tolist())
    made = 4 * (2 + (steps - 1) // 3)
    assert sum(shown.values()) / made == pytest.approx(3, rel=0.1)
    assert len(shown) > 0.8 * made


def test_normalised_has_zero_mean_for_the_mean_colour() -> None:
    grey = torch.tensor(answers.MEAN).view(1, 3, 1, 1).expand(1, 3, 2, 2)
    assert torch.allclose(normalised(grey), torch.zeros(1, 3, 2, 2))

from __future__ import annotations

import pytest
import torch
from torch import nn

from transfer_core.training.average import MovingAverage


def test_it_follows_with_its_memory() -> None:
    """Long after the start, the average of a constant is the constant, and a jump is followed by the share that is not remembered."""
    parameter = nn.Parameter(torch.zeros(1))
    average = MovingAverage({"p": parameter}, 0.9)
    for step in range(1, 400):
        average.update(step)
    parameter.data.fill_(1.0)
    average.update(400)
    assert float(average.tensors["p"]) == pytest.approx(0.1)


def test_at_first_the_start_weighs_little() -> None:
    """After ten steps at another value, most of the average is that value, however long the memory."""
    parameter = nn.Parameter(torch.zeros(1))
    average = MovingAverage({"p": parameter}, 0.999)
    parameter.data.fill_(1.0)
    for step in range(1, 11):
        average.update(step)
    assert float(average.tensors["p"]) > 0.9


def test_the_model_has_it_only_while_it_is_scored() -> None:
    """Whatever happens meanwhile, what is trained goes on from its own parameters."""
    parameter = nn.Parameter(torch.zeros(1))
    average = MovingAverage({"p": parameter}, 0.9)
    parameter.data.fill_(5.0)
    with pytest.raises(KeyError), average.in_place():
        assert float(parameter.detach()) == 0
        raise KeyError
    assert float(parameter.detach()) == 5

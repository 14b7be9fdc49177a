from __future__ import annotations

from typing import get_args

import pytest
import torch

from transfer_core.backbones.network import load_backbone
from transfer_core.models.transfer_model import TransferModel
from transfer_core.training.optimisers import OPTIMISERS, build_optimiser, set_rates
from transfer_core.training.settings import Optimiser, RunSettings


def model_of(kept, freeze) -> TransferModel:
    return TransferModel(load_backbone(kept).freeze(freeze), 4)


def rates(model: TransferModel, settings: RunSettings) -> dict[str, tuple[float, float]]:
    """Rate and decay of each parameter by name."""
    groups = {id(p): group for group in build_optimiser(model, settings).param_groups for p in group["params"]}
    return {name: (groups[id(p)]["lr"], groups[id(p)]["weight_decay"]) for name, p in model.named_parameters() if id(p) in groups}


def test_every_optimiser_is_there() -> None:
    assert set(OPTIMISERS) == set(get_args(Optimiser))


@pytest.mark.parametrize("name", OPTIMISERS)
def test_every_optimiser_learns_and_goes_on_from_its_state(name: str) -> None:
    """Ten steps on a parabola go downhill; five, kept and put back, and five more end at the same bits."""

    def descend(steps: int, parameter: torch.Tensor, optimiser: torch.optim.Optimizer) -> None:
        for _step in range(steps):
            optimiser.zero_grad()
            parameter.square().sum().backward()
            optimiser.step()

    def begin() -> tuple[torch.nn.Parameter, torch.optim.Optimizer]:
        parameter = torch.nn.Parameter(torch.tensor([[1.0, -2.0]]))
        return parameter, OPTIMISERS[name]([{"params": [parameter], "lr": 0.01, "weight_decay": 0.01}])

    whole, optimiser = begin()
    descend(10, whole, optimiser)
    assert whole.square().sum() < 5
    half, optimiser = begin()
    descend(5, half, optimiser)
    again, other = begin()
    with torch.no_grad():
        again.copy_(half)
    other.load_state_dict(optimiser.state_dict())
    descend(5, again, other)
    assert torch.equal(whole, again)


def test_the_backbone_takes_a_share_and_norms_do_not_decay(kept) -> None:
    """The head at the full rate, the backbone at its share; what is frozen is in no group."""
    model = model_of(kept, "last-stage")
    found = rates(model, RunSettings(learning_rate=0.02))
    assert set(found) == {name for name, p in model.named_parameters() if p.requires_grad}
    for name, (rate, decay) in found.items():
        assert rate == pytest.approx(0.002 if name.startswith("source.") else 0.02)
        assert (decay > 0) == (model.get_parameter(name).ndim > 1), name


def test_layer_decay_slows_stages_towards_the_picture(kept) -> None:
    """Each stage at the given share of the rate of the one after it, the last at the backbone's."""
    model = model_of(kept, "none")
    found = rates(model, RunSettings(learning_rate=0.1, backbone_rate=0.5, layer_decay=0.5))
    last = len(model.source.stages) - 1
    for place, stage in enumerate(model.source.stages):
        for name, _parameter in model.source.stage_parameters(stage):
            assert found[f"source.network.{name}"][0] == pytest.approx(0.05 * 0.5 ** (last - place)), name


def test_rates_follow_the_factor(kept) -> None:
    """Every group takes the factor of its own full rate, however often it is set."""
    optimiser = build_optimiser(model_of(kept, "last-stage"), RunSettings(learning_rate=0.02))
    set_rates(optimiser, 0.1)
    assert set_rates(optimiser, 0.5) == pytest.approx(0.01)
    assert sorted({round(group["lr"], 6) for group in optimiser.param_groups}) == [0.001, 0.01]

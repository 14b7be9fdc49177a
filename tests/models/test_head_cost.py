"""What a head is said to cost is what it costs once it is built."""

import pytest

from transfer_core.models.head_cost import head_cost
from transfer_core.models.heads import HEADS, make_head


@pytest.mark.parametrize("kind", list(HEADS))
@pytest.mark.parametrize(("width", "classes"), [(576, 5), (1280, 100), (2048, 2)])
def test_the_cost_is_that_of_the_head(kind: str, width: int, classes: int) -> None:
    head = make_head(kind, width, classes)
    cost = head_cost(kind, width, classes)
    assert (cost.parameters, cost.multiply_adds) == (head.parameter_count, head.multiply_adds)


@pytest.mark.parametrize("widths", [(8,), (64, 32)])
def test_hidden_layers_of_any_width(widths: tuple[int, ...]) -> None:
    head = make_head("mlp", 512, 4, widths=widths)
    cost = head_cost("mlp", 512, 4, widths)
    assert (cost.parameters, cost.multiply_adds) == (head.parameter_count, head.multiply_adds)

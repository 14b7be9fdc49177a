"""What a head costs, told without building it: no torch, so that a form can say it while one chooses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

HIDDEN = (256,)  # widths of a hidden head that is told none


@dataclass(frozen=True)
class HeadCost:
    """How many numbers a head learns, and its multiply-adds for one picture."""

    parameters: int
    multiply_adds: int


def head_cost(kind: str, width: int, classes: int, widths: Sequence[int] = HIDDEN) -> HeadCost:
    """The cost of a head of `models.heads` from `width` features to `classes`; `widths` are those of hidden layers."""
    straight = width * classes
    if kind == "mlp":
        sides = (width, *widths, classes)
        weights = sum(one * two for one, two in pairwise(sides))
        return HeadCost(weights + sum(sides[1:]), weights)
    # A bias for each class, the scale of all angles, or nothing beside the means.
    beside = {"cosine": 1, "prototype": 0}.get(kind, classes)
    return HeadCost(straight + beside, straight)

"""How the learning rate changes over a training. Without torch, for pages."""

from __future__ import annotations

import math
from collections.abc import Callable

Curve = Callable[[float], float]  # from 0..1 of the way after the warm-up to a factor of the rate

CYCLE_RISE = 0.3  # of a cycle, in which one-cycle rises, as in fastai and in torch
CYCLE_START = 1 / 25
STEPS_DOWN = (0.5, 0.75)  # of the way, where `step` divides the rate by ten, as in He et al., 2016


def factor(name: str, warm_up: float, steps: int, step: int) -> float:
    """The factor of the rate in step `step`, from 0, of `steps`: a linear rise over the share `warm_up`, then the curve.

    One-cycle begins with a rise of its own, and has no other.
    """
    rising = max(1, round(warm_up * steps)) if warm_up > 0 and name != "one-cycle" else 0
    if step < rising:
        return (step + 1) / rising
    return CURVES[name](min(1.0, (step - rising) / max(1, steps - rising)))


def _cosine(way: float) -> float:
    # Loshchilov and Hutter, 2017, without restarts.
    return 0.5 * (1 + math.cos(math.pi * way))


def _one_cycle(way: float) -> float:
    # Smith and Topin, 2018, with cosines, as fastai draws it.
    if way < CYCLE_RISE:
        return CYCLE_START + (1 - CYCLE_START) * 0.5 * (1 - math.cos(math.pi * way / CYCLE_RISE))
    return _cosine((way - CYCLE_RISE) / (1 - CYCLE_RISE))


def _step(way: float) -> float:
    return 0.1 ** sum(way >= down for down in STEPS_DOWN)


CURVES: dict[str, Curve] = {"cosine": _cosine, "one-cycle": _one_cycle, "step": _step, "constant": lambda _way: 1.0}

"""Whether a class is told from the others by one outer trait alone, such as its pictures' size: what a model would learn in its place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer_core.metrics.intervals import Score, wilson

# Of the class at least so many follow the rule, and of the others at most so many; and so even at the doubtful end of the intervals.
SHARE, SHARE_LOW = 0.9, 0.7
OTHERS, OTHERS_HIGH = 0.05, 0.2
EDGE = 0.05  # the share of a class beyond which its ends are chance
WIDER = 0.2  # a rule reaches so much of the class's own spread further: the other half has ends of its own

Rule = Callable[[NDArray[Any]], NDArray[np.bool_]]


@dataclass(frozen=True)
class Shortcut:
    """A class whose pictures one rule about one trait tells from the others, and how many of each side follow it."""

    label: int
    share: Score
    others: Score


def shortcuts(trait: NDArray[Any], labels: NDArray[np.integer], halves: NDArray[np.bool_]) -> list[Shortcut]:
    """The classes that `trait` alone gives away, the plainest first.

    `trait [N]` of text or floats, or `[N, 3]` for colours (0 to 255); `labels [N]`; `halves [N]` parts the samples in two, groups on one
    side.
    A rule is that of the most common text, of a floor, a ceiling or a band, or of nearness to the class's median colour; it is judged on
    the half it was not made from, both ways. Geirhos et al., Shortcut learning in deep neural networks (2020).
    """
    found = []
    for label in np.unique(labels):
        share, others = followers(trait, labels == label, halves)
        if share.accuracy >= SHARE and share.low >= SHARE_LOW and others.accuracy <= OTHERS and others.high <= OTHERS_HIGH:
            found.append(Shortcut(int(label), share, others))
    return sorted(found, key=lambda each: each.others.accuracy - each.share.accuracy)


def followers(trait: NDArray[Any], inside: NDArray[np.bool_], halves: NDArray[np.bool_]) -> tuple[Score, Score]:
    """How many of the samples `inside` a class, and of the others, follow the rule that the other half made of the trait."""
    follows = np.zeros(len(trait), bool)
    for half in (False, True):
        judged = halves == half
        if inside[~judged].any():
            follows[judged] = _rule(trait[~judged], inside[~judged])(trait[judged])
    nothing = Score(0.0, 0.0, 1.0, 0)
    return (
        wilson(int(follows[inside].sum()), int(inside.sum())) or nothing,
        wilson(int(follows[~inside].sum()), int((~inside).sum())) or nothing,
    )


def _rule(trait: NDArray[Any], inside: NDArray[np.bool_]) -> Rule:
    """The rule that tells the samples inside best from those outside."""
    own = trait[inside]
    if trait.ndim == 2:
        middle = np.median(own, axis=0)
        radius = (1 + 2 * WIDER) * np.quantile(np.linalg.norm(own - middle, axis=1), 1 - EDGE)
        return lambda values: np.linalg.norm(values - middle, axis=1) <= radius
    if trait.dtype.kind not in "fiu":
        names, counts = np.unique(own, return_counts=True)
        common = names[counts.argmax()]
        return lambda values: values == common
    low, high = np.quantile(own, (EDGE, 1 - EDGE))
    low, high = low - WIDER * (high - low), high + WIDER * (high - low)
    rules: list[Rule] = [
        lambda values: values >= low,
        lambda values: values <= high,
        lambda values: (values >= low) & (values <= high),
    ]
    return max(rules, key=lambda rule: float(rule(own).mean()) - float(rule(trait[~inside]).mean() if (~inside).any() else 0))

"""The loss against the rising learning rate, and the rate that it speaks for. Without torch, for pages.

Smith, Cyclical learning rates for training neural networks (2017), with the choices that fastai made.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from transfer_core.errors import SettingsError
from transfer_core.i18n import _
from transfer_core.training.settings import RunSettings

LOWEST, HIGHEST = 1e-7, 10.0  # of the head's rate
MOST_STEPS, FEWEST_STEPS = 100, 40
EPOCHS = 3  # that a search may last, where the fewest steps allow it: longer than the training itself it must not be
MEMORY = 0.98  # of the smoothed loss, over the most steps
TOO_MUCH = 4.0  # times the least loss: it went off, and nothing more is to be learnt
UNTOLD = 0.1  # of the steps, at the start: until then the smoothed loss is mostly chance
FROM_LEAST = 10.0  # times below the rate of the least loss at most, as fastai's rule of thumb has it
NOT_YET = 0.05  # of the whole fall: as long as it is less, nothing was learnt, and the middle of that says nothing
Point = tuple[float, float]  # a rate, and the smoothed loss there
# What says nothing of how the loss takes the rate: how long is trained, and how the rate changes meanwhile.
OTHERS = frozenset(
    {"learning_rate", "schedule", "warm_up", "unfreeze_every", "epochs", "steps", "minutes", "patience", "average"}
)


@dataclass(frozen=True)
class RateCurve:
    """The head's rates, rising, the smoothed loss at each, and what they suggest; None where the loss fell nowhere."""

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    suggestion: float | None  # at the steepest fall, in two digits
    valley: float | None  # halfway down the longest fall, or the same: never larger

    @property
    def verdict(self) -> str:
        """What it suggests, in a sentence or two."""
        if self.suggestion is None or self.valley is None:
            return _(
                "The loss fell at no rate, so none is suggested. With more pictures, a larger batch or less frozen it may; else keep yours."
            )
        told = _("The loss falls fastest at a learning rate of {rate}: a good choice.").format(rate=f"{self.suggestion:g}")
        if self.valley < self.suggestion:
            told += " " + _("{careful} is a careful one.").format(careful=f"{self.valley:g}")
        return told

    def as_data(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self) | {"rates": list(self.rates), "losses": list(self.losses)}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> RateCurve:
        """What `as_data` told of; raises KeyError and TypeError for what is none."""
        rates, losses = (tuple(float(value) for value in data[name]) for name in ("rates", "losses"))
        return cls(rates, losses, data["suggestion"], data["valley"])


def check_steps(settings: RunSettings) -> None:
    """Raise SettingsError for a plan whose steps no setting says the size of."""
    if settings.plan != "custom":
        raise SettingsError(
            _("The plan {plan} has no learning rate to be found: it goes by a recipe.").format(plan=settings.plan),
            code="no-steps",
            fix=_("Choose the plan custom."),
        )


def looked_for(settings: RunSettings) -> dict[str, Any]:
    """What the curve depends on, of the settings: while that is the same, a curve is still theirs."""
    return {name: value for name, value in settings.model_dump().items() if name not in OTHERS}


def steps_of(per_epoch: int) -> int:
    """How many steps a search takes at most, where an epoch has so many."""
    return min(MOST_STEPS, max(FEWEST_STEPS, EPOCHS * per_epoch))


def rate_at(step: int, steps: int) -> float:
    """The head's rate in step `step`, from 0, of `steps`: it rises by the same factor each time."""
    return float(LOWEST * (HIGHEST / LOWEST) ** (step / max(1, steps - 1)))


class Smoothed:
    """The loss so far as a moving average, corrected for its beginning at nothing; over fewer `steps` it forgets sooner."""

    def __init__(self, steps: int) -> None:
        self._memory = MEMORY ** (MOST_STEPS / steps)
        self._sum, self._count = 0.0, 0

    def add(self, loss: float) -> float:
        """The average once `loss` is in it."""
        self._sum = self._memory * self._sum + (1 - self._memory) * loss
        self._count += 1
        return self._sum / (1 - self._memory**self._count)


def is_over(losses: Sequence[float]) -> bool:
    """Whether the last of the smoothed losses says that the rate is too large by now."""
    return bool(losses) and not (math.isfinite(losses[-1]) and losses[-1] <= TOO_MUCH * min(losses))


def curve_of(rates: Sequence[float], losses: Sequence[float], steps: int) -> RateCurve:
    """The curve of smoothed losses of a search over `steps`, with what it suggests among the rates at which there was a finite loss."""
    points = [(rate, loss) for rate, loss in zip(rates, losses, strict=True) if math.isfinite(loss)]
    begun = round(UNTOLD * steps)
    falling = _falling(points[begun:])
    # A model that is good from the start has its least there: what looks like a fall later on is chance.
    fell = len(falling) > 1 and falling[-1][1] < min(loss for _rate, loss in points[:begun])
    # The smoothed loss lags behind, and has its least where the rate is too large by far.
    safe = [point for point in falling if point[0] * FROM_LEAST <= falling[-1][0]]
    kept_rates, kept_losses = tuple(rate for rate, _loss in points), tuple(loss for _rate, loss in points)
    if not fell or len(safe) < 2:
        return RateCurve(kept_rates, kept_losses, None, None)
    start = falling[0][1] - NOT_YET * (falling[0][1] - falling[-1][1])
    suggestion = _steepest(safe)
    learning = [point for point in safe if point[1] <= start and point[0] <= suggestion]
    return RateCurve(kept_rates, kept_losses, suggestion, _valley(learning) if learning else suggestion)


def _falling(points: Sequence[Point]) -> Sequence[Point]:
    """The points up to the least: past it the loss may jump up and fall again, which is no learning."""
    return points[: 1 + min(range(len(points)), key=lambda place: points[place][1])] if points else []


def _steepest(points: Sequence[Point]) -> float:
    """Where the loss falls most for a rate that rises by the same factor."""
    falls = [after[1] - before[1] for before, after in itertools.pairwise(points)]
    return _in_two_digits(points[falls.index(min(falls))][0])


def _valley(points: Sequence[Point]) -> float:
    """Halfway down the longest run of points each of which lies below the one before it, others skipped."""
    longest, before = [1] * len(points), [-1] * len(points)
    for here, (_rate, loss) in enumerate(points):
        for earlier in range(here):
            if loss < points[earlier][1] and longest[here] <= longest[earlier]:
                longest[here], before[here] = longest[earlier] + 1, earlier
    place = longest.index(max(longest))
    for _step in range(max(longest) // 2):
        place = before[place]
    return _in_two_digits(points[place][0])


def _in_two_digits(rate: float) -> float:
    return float(f"{rate:.2g}")

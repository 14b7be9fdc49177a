"""How sure a score is: Wilson's interval for a share of a count."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

Z95 = 1.959964


@dataclass(frozen=True)
class Score:
    """A share in 0..1 with its 95 % interval, and how many samples it was measured on."""

    accuracy: float
    low: float
    high: float
    count: int

    def as_data(self) -> dict[str, Any]:
        """The score as `{"accuracy", "low", "high", "count"}`."""
        return asdict(self)


def wilson(correct: int, count: int, z: float = Z95) -> Score | None:
    """The share `correct / count` with its interval; None where nothing was counted.

    Wilson, Probable inference, the law of succession, and statistical inference (1927): right also near 0 and 1 and for few samples.
    """
    if count == 0:
        return None
    if not 0 <= correct <= count:
        raise ValueError(f"correct must be between 0 and count, got {correct} of {count}")
    share = correct / count
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    # At the ends, rounding would put the share itself a hair outside.
    return Score(share, max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half)), count)


def told_apart(only_first: int, only_second: int, z: float = Z95) -> bool:
    """Whether two answerers of the same samples differ by more than chance, from how many each alone answered rightly.

    McNemar, Note on the sampling error of the difference between correlated proportions or percentages (1947).
    """
    return abs(only_first - only_second) > z * math.sqrt(only_first + only_second)

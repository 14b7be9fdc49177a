"""What a choice came to: a table of candidates and one sentence why. No torch; plain data for commands and pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from transfer_core.i18n import _
from transfer_core.metrics.intervals import Score, told_apart

FASTER = 1.5  # times: a difference in time below this is not worth a word


@dataclass(frozen=True)
class Row:
    """A candidate in the table; what was not measured is None.

    `accuracy` is published (percent), `evidence` LogME, `score` the sum that the three to be confirmed were taken by, `neighbours`
    and `validated` shares of the pictures looked at, with their intervals. `seconds` is one pass over all of the user's pictures.
    `left_out` says why nothing was measured; "" where something was.
    """

    label: str
    backbone: str
    digest: str | None
    size: int
    file_size: int
    commercial: bool
    accuracy: float | None
    seconds: float
    seconds_measured: bool
    evidence: float | None = None
    neighbours: Score | None = None
    score: float | None = None
    validated: Score | None = None
    left_out: str = ""


@dataclass(frozen=True)
class Choice:
    """The candidates, the best first, and which one to take: the first, where there is any to take.

    `looked_at` is how many pictures the scores are from, of `pictures` in all; the test set is not among those looked at.
    """

    rows: list[Row]
    recommended: Row | None
    why: str
    looked_at: int
    pictures: int

    def as_data(self) -> dict[str, Any]:
        """The choice in plain types."""
        return asdict(self)


def sentence(recommended: Row | None, alike: Row | None, looked_at: int) -> str:
    """Why it is this one; `alike` is a faster one that the pictures do not tell from it."""
    if recommended is None:
        return _("No backbone can be recommended; the table says of each what stood in the way.")
    if recommended.validated is None or recommended.neighbours is None:
        return _("{name} has the features that fit the classes best, judged by {count} pictures.").format(
            name=recommended.label, count=looked_at
        )
    words = {
        "name": recommended.label,
        "accuracy": _percent(recommended.validated.accuracy),
        "low": _percent(recommended.validated.low),
        "high": _percent(recommended.validated.high),
        "count": recommended.validated.count,
    }
    if alike is None:
        return _(
            "{name} recognises the most pictures that its head has not seen: {accuracy} (between {low} and {high}) of {count}."
        ).format(**words)
    return _(
        "{name} recognises the most pictures that its head has not seen: {accuracy} (between {low} and {high}) of {count}; "
        "{other} may be as good, for all these pictures tell, and takes {share} of the time."
    ).format(**words, other=alike.label, share=f"{100 * alike.seconds / recommended.seconds:.0f} %")


def faster_alike(recommended: Row, others: Sequence[tuple[Row, int, int]]) -> Row | None:
    """The fastest of the `others` that is clearly faster and can't be told from the recommended one, or None.

    Each comes with how many pictures the recommended one alone, and the other alone, answered rightly.
    """
    alike = [
        row
        for row, only_recommended, only_other in others
        if row.seconds * FASTER <= recommended.seconds and not told_apart(only_recommended, only_other)
    ]
    return min(alike, key=lambda row: row.seconds, default=None)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"

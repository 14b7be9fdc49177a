"""Which of all there is to start from a page shows, and in which order. Pure functions over the listing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from transfer_core.advice.listing import Listed
from transfer_core.backbones.catalogue import STARTER

Kind = Literal["suggested", "mine", "all", "timm"]
Need = Literal["any", "frozen", "training"]
Order = Literal["sensible", "accuracy", "time", "size"]

# From small to large, each clearly better or clearly quicker than its neighbours.
SUGGESTED = (
    STARTER,
    "mobilenet_v3_large",
    "mobilenet_v2",
    "efficientnet_b0",
    "resnet18",
    "resnet50",
    "convnext_tiny",
    "efficientnet_v2_s",
)


@dataclass(frozen=True)
class Wanted:
    """What somebody looks for. `seconds` is the most that one pass may take, `memory` bytes that are there for the `need`."""

    kind: Kind = "suggested"
    words: str = ""
    seconds: float | None = None
    need: Need = "any"
    memory: float = 0.0
    here: bool = False
    order: Order = "sensible"


def shortlist(rows: Iterable[Listed], wanted: Wanted) -> list[Listed]:
    """The rows that are wanted, in the order wanted."""
    words = wanted.words.lower().split()
    found = [row for row in rows if _KINDS[wanted.kind](row) and _named(row, words) and _fits(row, wanted)]
    return sorted(found, key=_ORDERS[wanted.order])


def _named(row: Listed, words: Sequence[str]) -> bool:
    text = f"{row.info.name} {row.info.title} {row.source}".lower()
    return all(word in text for word in words)


def _fits(row: Listed, wanted: Wanted) -> bool:
    memory = {"any": 0.0, "frozen": row.frozen_memory, "training": row.training_memory}[wanted.need]
    in_time = wanted.seconds is None or row.seconds <= wanted.seconds
    return in_time and (wanted.need == "any" or memory <= wanted.memory) and (row.here or not wanted.here)


def _rank(row: Listed) -> int:
    """What is the user's own first, then what suits most people, then what nothing else beats."""
    if row.origin in ("file", "trained") or row.info.name == STARTER:
        return 0
    return 1 if row.info.name in SUGGESTED else 2 if row.on_front else 3


_KINDS: dict[Kind, Callable[[Listed], bool]] = {
    "suggested": lambda row: row.origin == "published" and row.info.name in SUGGESTED,
    "mine": lambda row: row.origin in ("file", "trained"),
    "all": lambda row: True,
    "timm": lambda row: row.origin == "timm",
}
_ORDERS: dict[Order, Callable[[Listed], tuple[float, ...]]] = {
    # Each from quick to slow, and last what may not be used freely.
    "sensible": lambda row: (row.non_commercial, _rank(row), row.seconds),
    "accuracy": lambda row: (-(row.accuracy or 0.0), row.seconds),
    "time": lambda row: (row.seconds, -(row.accuracy or 0.0)),
    "size": lambda row: (row.file_size, row.seconds),
}

"""What no other beats in both accuracy and time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


def undominated(among: Iterable[T], seconds: Callable[[T], float], accuracy: Callable[[T], float]) -> list[T]:
    """Those that no other beats in accuracy without taking longer (the Pareto front), the fastest first."""
    found: list[T] = []
    for each in sorted(among, key=lambda each: (seconds(each), -accuracy(each))):
        if not found or accuracy(each) > accuracy(found[-1]):
            found.append(each)
    return found

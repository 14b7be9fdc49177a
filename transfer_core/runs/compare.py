"""What is different between runs: their settings side by side, without those that are alike or have no effect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transfer_core.training.settings import RunSettings


@dataclass(frozen=True)
class Difference:
    """A setting, and its value in each run; None where it has no effect there, or was left to be chosen."""

    name: str
    values: tuple[Any, ...]


def differences(settings: Sequence[RunSettings]) -> list[Difference]:
    """The settings in which these differ, in their own order; none for fewer than two."""
    names = type(settings[0]).model_fields if settings else {}
    rows = [Difference(name, tuple(effective(each, name) for each in settings)) for name in names]
    return [row for row in rows if any(value != row.values[0] for value in row.values)]


def effective(settings: RunSettings, name: str) -> Any:
    """A setting's value; None where others rule it out, such as the epochs of a plan that has none."""
    return getattr(settings, name) if settings.applies(name) else None

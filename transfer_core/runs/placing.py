"""On which device a run is at work, and why on that one; told without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from transfer_core.advice.computer import card_without_torch
from transfer_core.errors import TransferError
from transfer_core.files import read_json
from transfer_core.i18n import _
from transfer_core.runs import queue

if TYPE_CHECKING:
    from transfer_core.runs.folder import Run

CHOICES = "choices.json"  # of a run that has settled them


@dataclass(frozen=True)
class Placing:
    """`cpu` or `cuda`, and a sentence that says why."""

    device: str
    reason: str


def placing(run: Run) -> Placing:
    """Where the run is or will be at work; raises SettingsError."""
    asked = run.settings.device
    device = settled(run, "device") or queue.device_for(run.settings)
    if asked != "auto":
        return Placing(device, _("its settings ask for it"))
    if device == "cuda":
        return Placing(device, _("it is there, and many times as fast as the processor"))
    if card_without_torch():
        return Placing(device, _("there is a graphics card, but the installed torch can't use it"))
    return Placing(device, _("there is no graphics card that training can use"))


def settled(run: Run, name: str) -> str | None:
    """One of the run's choices as text, or None before it has settled them."""
    try:
        return str(read_json(run.folder / CHOICES)[name])
    except (TransferError, KeyError, TypeError):
        return None

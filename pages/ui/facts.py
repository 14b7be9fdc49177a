"""What is known of something to start from, in words."""

from __future__ import annotations

from pages.ui import words
from transfer_core.advice.listing import Listed
from transfer_core.i18n import _
from transfer_core.training.settings import RunSettings


def is_chosen(row: Listed, settings: RunSettings) -> bool:
    """Whether the next training starts from this."""
    return row.info.name == settings.backbone and row.weights == settings.weights


def time_words(row: Listed) -> str:
    """How long the pictures take, and whether that was measured."""
    time = words.short_duration(row.seconds)
    if row.measured:
        return _("{time} for your pictures (measured)").format(time=time)
    return _("{time} for your pictures (estimated)").format(time=time)


def accuracy_words(row: Listed) -> str:
    """How good it is known to be."""
    if row.origin == "trained":
        return _("trained here")
    if row.origin == "file":
        return _("your own weights")
    if row.accuracy is not None:
        return _("{share} on ImageNet").format(share=words.percent(row.accuracy / 100, 1))
    return _("not measured on ImageNet") if row.origin == "timm" else _("made for quick starts")

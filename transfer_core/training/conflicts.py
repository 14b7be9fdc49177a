"""What of a run's settings does not go together: all of it told at once, before anything starts. Without torch, for pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from transfer_core.backbones.catalogue import BackboneInfo
from transfer_core.backbones.stages import takes_one_size
from transfer_core.i18n import _

if TYPE_CHECKING:
    from transfer_core.training.settings import RunSettings

SMALLEST, MULTIPLE = 64, 32  # pixels a side: networks halve pictures five times


@dataclass(frozen=True)
class Conflict:
    """A setting, what is wrong with it in the company of the others, and what to do."""

    field: str
    problem: str
    cure: str
    code: str


def find_conflicts(settings: RunSettings, info: BackboneInfo) -> list[Conflict]:
    """Every conflict of a custom plan's settings; the other plans have none."""
    if settings.plan != "custom":
        return []
    return [conflict for check in CHECKS for conflict in check(settings, info)]


def _depth(settings: RunSettings, info: BackboneInfo) -> Iterator[Conflict]:
    count = len(info.stages)
    if count and isinstance(settings.freeze, int) and settings.freeze > count:
        yield Conflict(
            "freeze",
            _("{backbone} has {count} stages, so {number} of them can't stay frozen.").format(
                backbone=info.title, count=count, number=settings.freeze
            ),
            _("Set freeze to a number from 0 to {count}, or to all, last-stage or none.").format(count=count),
            "too-deep",
        )


def _unfreezing(settings: RunSettings, info: BackboneInfo) -> Iterator[Conflict]:
    stages = len(info.stages)
    if settings.unfreeze_every and (settings.freeze == "all" or (stages and settings.freeze == stages)):
        yield Conflict(
            "unfreeze_every",
            _("All of the backbone stays frozen, so no stage can be let learn later."),
            _("Set unfreeze_every to 0, or freeze fewer stages."),
            "nothing-to-unfreeze",
        )


def _unreached(settings: RunSettings, info: BackboneInfo) -> Iterator[Conflict]:
    """The first epoch is the head's alone; then comes one stage more every so many."""
    every, frozen = settings.unfreeze_every, settings.freeze
    if not every or not info.stages or frozen == "all" or settings.steps or settings.minutes:
        return
    count = len(info.stages)
    waiting = count - (frozen if isinstance(frozen, int) else {"none": 0, "last-stage": count - 1}[frozen])
    needed = waiting * every + 1
    if waiting > 0 and needed > settings.epochs:
        most = (settings.epochs - 1) // waiting
        yield Conflict(
            "unfreeze_every",
            _("The last of the stages would begin to learn in epoch {needed} of {epochs}: never.").format(
                needed=needed, epochs=settings.epochs
            ),
            _("Set epochs to {needed} or more, or unfreeze_every to {most}.").format(needed=needed, most=most),
            "stage-not-reached",
        )


def _length(settings: RunSettings, info: BackboneInfo) -> Iterator[Conflict]:
    if settings.steps and settings.minutes:
        yield Conflict(
            "minutes",
            _("Both steps and minutes say how long to train."),
            _("Set one of steps and minutes to 0."),
            "two-lengths",
        )


def _precision(settings: RunSettings, info: BackboneInfo) -> Iterator[Conflict]:
    if settings.precision == "fp16" and settings.device == "cpu":
        yield Conflict(
            "precision",
            _("Processors don't train in fp16."),
            _("Set precision to auto, float32 or bf16, or the device to cuda."),
            "precision-not-possible",
        )


def _size(settings: RunSettings, info: BackboneInfo) -> Iterator[Conflict]:
    size = settings.image_size
    if not size or size == info.crop:
        return
    if takes_one_size(info):
        yield Conflict(
            "image_size",
            _("{backbone} takes pictures of exactly {size} pixels.").format(backbone=info.title, size=info.crop),
            _("Set image_size to 0."),
            "size-not-possible",
        )
    elif size < SMALLEST or size % MULTIPLE:
        yield Conflict(
            "image_size",
            _("{size} is no multiple of {multiple} from {smallest} on.").format(size=size, multiple=MULTIPLE, smallest=SMALLEST),
            _("Set image_size to {size}, or to 0 for the backbone's own.").format(
                size=max(SMALLEST, round(size / MULTIPLE) * MULTIPLE)
            ),
            "size-not-possible",
        )


def _mixing(settings: RunSettings, info: BackboneInfo) -> Iterator[Conflict]:
    if settings.head == "prototype" and (settings.mixup or settings.cutmix):
        yield Conflict(
            "mixup" if settings.mixup else "cutmix",
            _("The nearest class mean knows no pictures of two classes."),
            _("Set mixup and cutmix to 0, or choose another head."),
            "mixing-prototypes",
        )


CHECKS: tuple[Callable[[RunSettings, BackboneInfo], Iterator[Conflict]], ...] = (
    _depth,
    _unfreezing,
    _unreached,
    _length,
    _precision,
    _size,
    _mixing,
)

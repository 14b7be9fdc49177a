"""Pictures of an unusual kind: tiny, moving, transparent, 16-bit, CMYK, turned by the camera."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from statistics import median

from transfer_core.advice.checks.check import Check, Evidence, Finding, found, picture
from transfer_core.data.samples import Sample
from transfer_core.i18n import ngettext

TINY = 32  # pixels of the short side; whole sets of this size are learnt from, smaller ones hardly
# Far smaller than is usual in the set, and small enough for details to be gone.
SMALL, SMALL_SHARE = 96, 1 / 6


def too_small(evidence: Evidence) -> Iterable[Finding]:
    """Pictures of which little is left to see, the smallest first."""
    sides = [(min(sample.width, sample.height), sample) for sample in evidence.used if sample.width and sample.height]
    if not sides:
        return []
    usual = median(side for side, _sample in sides)
    tiny = [(side, sample) for side, sample in sides if side < TINY or (side < SMALL and side < SMALL_SHARE * usual)]
    tiny.sort(key=lambda one: one[0])
    smallest = tiny[0][1] if tiny else None
    size = f"{smallest.width} × {smallest.height}" if smallest else ""
    return found("too-small", (picture(sample) for _side, sample in tiny), size=size)


def _those(name: str, has: Callable[[Sample], bool]) -> Callable[[Evidence], Iterable[Finding]]:
    return lambda evidence: found(name, (picture(sample) for sample in evidence.used if has(sample)))


CHECKS = (
    Check(
        "too-small",
        "look",
        lambda finding: ngettext(
            "{count} picture is tiny ({size} pixels), so that there is hardly anything to learn from it.",
            "{count} pictures are tiny (the smallest has {size} pixels), so that there is hardly anything to learn from them.",
            finding.count,
        ).format(count=f"{finding.count:,}", **finding.values),
        ("exclude", "keep"),
        ("exclude", "keep"),
        too_small,
    ),
    Check(
        "animated",
        "note",
        lambda finding: ngettext(
            "{count} picture moves: its first moment is used. Exclude it if that does not show the class.",
            "{count} pictures move: their first moment is used. Exclude those where that does not show the class.",
            finding.count,
        ).format(count=f"{finding.count:,}"),
        ("keep",),
        ("exclude",),
        _those("animated", lambda sample: sample.animated),
    ),
    Check(
        "transparent",
        "note",
        lambda finding: ngettext(
            "{count} picture may be transparent in parts: it is laid on white. Exclude it if it can't be made out on white.",
            "{count} pictures may be transparent in parts: they are laid on white. Exclude those that can't be made out on white.",
            finding.count,
        ).format(count=f"{finding.count:,}"),
        ("keep",),
        ("exclude",),
        _those("transparent", lambda sample: (sample.mode or "").partition(";")[0] in ("RGBA", "LA", "PA", "La", "RGBa")),
    ),
    Check(
        "sixteen-bit",
        "note",
        lambda finding: ngettext(
            "{count} picture has 16 bits a pixel and is brought to 8: look whether it isn't far too dark.",
            "{count} pictures have 16 bits a pixel and are brought to 8: look whether they aren't far too dark.",
            finding.count,
        ).format(count=f"{finding.count:,}"),
        ("keep",),
        ("exclude",),
        _those("sixteen-bit", lambda sample: (sample.mode or "").startswith("I") or (sample.mode or "").endswith(";16")),
    ),
    Check(
        "cmyk",
        "note",
        lambda finding: ngettext(
            "{count} picture has the colours of print (CMYK): they are converted, and may look a little different.",
            "{count} pictures have the colours of print (CMYK): they are converted, and may look a little different.",
            finding.count,
        ).format(count=f"{finding.count:,}"),
        ("keep",),
        ("exclude",),
        _those("cmyk", lambda sample: sample.mode == "CMYK"),
    ),
    Check(
        "rotated",
        "note",
        lambda finding: ngettext(
            "{count} picture was taken with a turned camera: it is shown and learnt upright, as its notes say.",
            "{count} pictures were taken with a turned camera: they are shown and learnt upright, as their notes say.",
            finding.count,
        ).format(count=f"{finding.count:,}"),
        ("keep",),
        (),
        _those("rotated", lambda sample: (sample.orientation or 1) != 1),
    ),
)

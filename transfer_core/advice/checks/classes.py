"""Classes as a whole: too few pictures, far fewer than others, and two whose names are spelt nearly alike."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import median

from transfer_core.advice.checks.check import Check, Finding, Item, found, labels
from transfer_core.data.samples import ClassCount
from transfer_core.i18n import _, ngettext

FEW = 10  # pictures of a class, below which how often it is recognised is mostly chance
RATIO = 10  # the median class over one that has too little beside it


def class_findings(counts: Sequence[ClassCount]) -> list[Finding]:
    """What can be said of the classes from their counts alone: quick enough to be told anew each time."""
    return [*few_pictures(counts), *imbalance(counts), *alike_names(counts)]


def few_pictures(counts: Sequence[ClassCount]) -> Iterable[Finding]:
    """Classes with so few pictures that nothing sure can be said of them."""
    few = sorted((count for count in counts if count.total < FEW), key=lambda count: count.total)
    return found("few-pictures", (_class(count.label) for count in few), few=FEW)


def imbalance(counts: Sequence[ClassCount]) -> Iterable[Finding]:
    """Classes that have far fewer pictures than is usual among them, or one that has far more."""
    if len(counts) < 2:
        return []
    usual = median(count.total for count in counts)
    most = max(counts, key=lambda count: count.total)
    small = [count for count in counts if count.total >= FEW and count.total * RATIO <= most.total and count.total <= usual]
    small.sort(key=lambda count: count.total)
    return found("imbalance", (_class(count.label) for count in small), most=most.total, largest=most.label)


def alike_names(counts: Sequence[ClassCount]) -> Iterable[Finding]:
    """Classes whose names differ in capitals, spaces or signs alone; the smaller is to be merged into the larger."""
    alike: dict[str, list[ClassCount]] = defaultdict(list)
    for count in counts:
        alike[_bare(count.label)].append(count)
    items = []
    for same in alike.values():
        largest, *others = sorted(same, key=lambda count: (-count.total, count.label))
        items += [Item(f"{count.label}\n{largest.label}", None, count.label, to=largest.label) for count in others]
    return found("alike-names", items)


def _bare(name: str) -> str:
    """A name without what two people would write differently."""
    bare = re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", name).casefold())
    return bare or name


def _class(label: str) -> Item:
    return Item(label, None, label)


CHECKS = (
    Check(
        "few-pictures",
        "look",
        lambda finding: ngettext(
            "{count} class has fewer than {few} pictures ({names}): it works, but how often it is right will be uncertain. More "
            "pictures help most.",
            "{count} classes have fewer than {few} pictures ({names}): it works, but how often they are right will be uncertain. "
            "More pictures help most.",
            finding.count,
        ).format(count=finding.count, few=finding.values["few"], names=labels(finding)),
        ("keep",),
    ),
    Check(
        "imbalance",
        "look",
        lambda finding: ngettext(
            "{count} class ({names}) has less than a tenth of the {most} pictures of {largest}: a model will see it where it is too "
            "rarely. Add pictures of it, or exclude some of the largest.",
            "{count} classes ({names}) have less than a tenth of the {most} pictures of {largest}: a model will see them where they "
            "are too rarely. Add pictures of them, or exclude some of the largest.",
            finding.count,
        ).format(
            count=finding.count,
            names=labels(finding),
            most=f"{finding.values['most']:,}",
            largest=finding.values["largest"],
        ),
        ("keep",),
    ),
    Check(
        "alike-names",
        "look",
        lambda finding: _(
            "Classes are spelt nearly alike ({names}): if they are the same, merge them, or a model will learn to guess between them."
        ).format(names=labels(finding)),
        ("merge", "keep"),
        ("merge", "keep"),
    ),
)

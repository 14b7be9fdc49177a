"""Pictures that are there more than once: exact and near copies, under one label or two, on both sides of a split; bursts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from transfer_core.advice.checks.check import Check, Evidence, Finding, Item, found, picture
from transfer_core.data.samples import Sample
from transfer_core.i18n import ngettext


def duplicates(evidence: Evidence) -> Iterable[Finding]:
    """The second and later of pictures that are the same to the byte, of one class."""
    return found("duplicates", _later(_by(evidence.used, lambda sample: sample.content)))


def near_duplicates(evidence: Evidence) -> Iterable[Finding]:
    """The second and later of pictures that show the same, of one class; exact copies are told apart."""
    items = []
    for members in _by(evidence.used, lambda sample: sample.copies):
        for label in dict.fromkeys(sample.label for sample in members):
            own = {sample.content: sample for sample in reversed(members) if sample.label == label}
            first, *later = sorted(own.values(), key=_largest_first)
            items += [picture(sample, key=_both(first, sample), beside=first) for sample in later]
    return found("near-duplicates", items)


def two_labels(evidence: Evidence) -> Iterable[Finding]:
    """Pictures that are the same to the byte under two classes."""
    return found("two-labels", _contradictions(_by(evidence.used, lambda sample: sample.content), exact=True))


def near_two_labels(evidence: Evidence) -> Iterable[Finding]:
    """Pictures that show the same under two classes."""
    return found("near-two-labels", _contradictions(_by(evidence.used, lambda sample: sample.copies), exact=False))


def leaks(evidence: Evidence) -> Iterable[Finding]:
    """Pictures to learn from that were left out, because the user's own test or validation set has a copy."""
    return found("leaks", (picture(sample, beside=kept) for sample, kept in evidence.leaked))


def bursts(evidence: Evidence) -> Iterable[Finding]:
    """Pictures that were taken in one go, or that the user's data names as one group."""
    items = []
    for members in _by(evidence.used, lambda sample: sample.group):
        first = members[0]
        others = {sample.copies: sample for sample in members if sample.copies != first.copies and sample.given_group is None}
        items += [picture(sample, beside=first) for sample in others.values()]
    return found("bursts", items)


def _by(samples: Iterable[Sample], key: Callable[[Sample], str]) -> Iterator[list[Sample]]:
    """Samples that share a key, where several do."""
    shared: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        shared[key(sample)].append(sample)
    return (members for members in shared.values() if len(members) > 1)


def _later(groups: Iterable[list[Sample]]) -> Iterator[Item]:
    for members in groups:
        first: dict[str | None, Sample] = {}
        for sample in members:
            if sample.label in first:
                # Copies have one content: the file's own name tells them apart.
                yield picture(sample, key=f"{sample.content} {sample.relative}", beside=first[sample.label])
            else:
                first[sample.label] = sample


def _contradictions(groups: Iterable[list[Sample]], exact: bool) -> Iterator[Item]:
    """Every picture of a group that has one of another class in it, with that one beside it."""
    for members in groups:
        if len({sample.label for sample in members}) < 2:
            continue
        for sample in members:
            others = [one for one in members if one.label != sample.label and (one.content == sample.content) == exact]
            if others:
                yield picture(
                    sample,
                    key=_both(*sorted((sample, others[0]), key=lambda one: one.relative)),
                    beside=others[0],
                    to=others[0].label,
                )


def _both(one: Sample, other: Sample) -> str:
    """What names a pair, for as long as both files are the same."""
    if one.content == other.content:
        return f"{one.content} {one.relative} {other.relative}"
    return f"{one.content} {other.content}"


def _largest_first(sample: Sample) -> tuple[int, str]:
    return -(sample.width or 0) * (sample.height or 0), sample.relative


CHECKS = (
    Check(
        "two-labels",
        "serious",
        lambda finding: ngettext(
            "{count} picture is also there under another class, to the byte, so one of the two is wrong: "
            "give both the right class, or exclude them.",
            "{count} pictures are the same to the byte and stand under different classes, so one of each is wrong: "
            "give both the right class, or exclude them.",
            finding.count,
        ).format(count=finding.count),
        ("exclude", "keep"),
        ("relabel", "exclude", "keep"),
        two_labels,
    ),
    Check(
        "near-two-labels",
        "serious",
        lambda finding: ngettext(
            "{count} picture shows the same as one of another class: if it belongs to one class only, give both the right one.",
            "{count} pictures show the same as one of another class: where they belong to one class only, give both the right one.",
            finding.count,
        ).format(count=finding.count),
        ("exclude", "keep"),
        ("relabel", "exclude", "keep"),
        near_two_labels,
    ),
    Check(
        "leaks",
        "look",
        lambda finding: ngettext(
            "{count} picture to learn from is also in your test or validation set; it is left out of learning, "
            "because a score on what was learnt by heart means nothing.",
            "{count} pictures to learn from are also in your test or validation set; they are left out of learning, "
            "because a score on what was learnt by heart means nothing.",
            finding.count,
        ).format(count=finding.count),
        ("keep",),
        ("keep",),
        leaks,
    ),
    Check(
        "duplicates",
        "look",
        lambda finding: ngettext(
            "{count} picture is there a second time in its class: a copy teaches nothing new and counts twice. Exclude it.",
            "{count} pictures are there a second time in their class: copies teach nothing new and count twice. Exclude them.",
            finding.count,
        ).format(count=finding.count),
        ("exclude", "keep"),
        ("exclude", "keep"),
        duplicates,
    ),
    Check(
        "near-duplicates",
        "look",
        lambda finding: ngettext(
            "{count} picture shows nearly the same as another of its class, as after resizing or cropping: it is kept on one side "
            "when learning is tested, and teaches little that is new.",
            "{count} pictures show nearly the same as another of their class, as after resizing or cropping: they are kept on one "
            "side when learning is tested, and teach little that is new.",
            finding.count,
        ).format(count=finding.count),
        ("exclude", "keep"),
        ("exclude", "keep"),
        near_duplicates,
    ),
    Check(
        "bursts",
        "note",
        lambda finding: ngettext(
            "{count} picture was taken in one go with another. They are kept on one side when learning is tested: nothing has to be "
            "done.",
            "{count} pictures were taken in one go with others. They are kept on one side when learning is tested: nothing has to be "
            "done.",
            finding.count,
        ).format(count=finding.count),
        ("keep",),
        (),
        bursts,
    ),
)

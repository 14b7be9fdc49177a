"""Classes that an outer trait gives away: their pictures' size, shape, format or background."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer_core.advice.checks import check
from transfer_core.advice.checks.check import Check, Evidence, Finding, Item, found
from transfer_core.data.samples import Sample
from transfer_core.i18n import _
from transfer_core.metrics.shortcuts import Shortcut, shortcuts

SHOWN = 12  # pictures shown of the classes that are given away


def given_away(evidence: Evidence) -> Iterable[Finding]:
    """For each trait the classes that it gives away, once: where the size does, the shape needs no telling."""
    known: set[int] = set()
    samples = [sample for sample in evidence.used if sample.width and sample.height and sample.label is not None]
    for name, (of, least) in TRAITS.items():
        having = [sample for sample in samples if name != "background" or sample.content in evidence.borders]
        classes = sorted({sample.label or "" for sample in having})
        if len(classes) < 2 or len(having) < least:
            continue
        numbers = {label: number for number, label in enumerate(classes)}
        labels = np.array([numbers[sample.label or ""] for sample in having])
        halves = np.array([_half(sample) for sample in having])
        new = [each for each in shortcuts(of(having, evidence), labels, halves) if each.label not in known]
        # Of two classes, what tells one tells the other.
        new = new[: len(classes) - 1] if len(classes) > 2 else new[:1]
        known.update(range(2) if new and len(classes) == 2 else (each.label for each in new))
        if new:
            yield _finding(name, having, classes, new)


def _finding(name: str, samples: Sequence[Sample], classes: Sequence[str], new: Sequence[Shortcut]) -> Finding:
    given = [classes[each.label] for each in new]
    share = min(each.share.accuracy for each in new)
    others = max(each.others.accuracy for each in new)
    (finding,) = found(
        f"shortcut-{name}",
        (Item(f"{name} {label}", None, label) for label in given),
        share=share,
        others=others,
        # Examples of each class, one after the other.
        examples=_examples(samples, given),
    )
    return finding


def _examples(samples: Sequence[Sample], given: Sequence[str]) -> list[int]:
    own = [[sample.id for sample in samples if sample.label == label][:SHOWN] for label in given[:SHOWN]]
    return [ids[place] for place in range(SHOWN) for ids in own if place < len(ids)][:SHOWN]


def _half(sample: Sample) -> bool:
    """Which of two halves a picture is in, with its group."""
    return bool(hashlib.blake2b(sample.group.encode(), digest_size=1).digest()[0] % 2)


def _sizes(samples: Sequence[Sample], evidence: Evidence) -> NDArray[Any]:
    return np.array([f"{sample.width} x {sample.height}" for sample in samples])


def _pixels(samples: Sequence[Sample], evidence: Evidence) -> NDArray[Any]:
    return np.array([float((sample.width or 1) * (sample.height or 1)) for sample in samples])


def _shapes(samples: Sequence[Sample], evidence: Evidence) -> NDArray[Any]:
    return np.array([(sample.width or 1) / (sample.height or 1) for sample in samples])


def _formats(samples: Sequence[Sample], evidence: Evidence) -> NDArray[Any]:
    return np.array([f"{sample.format} {sample.mode}" for sample in samples])


def _borders(samples: Sequence[Sample], evidence: Evidence) -> NDArray[Any]:
    return np.array([evidence.borders[sample.content] for sample in samples], float)


Trait = Callable[[Sequence[Sample], Evidence], NDArray[Any]]
# The trait, and the fewest pictures that it is told from.
TRAITS: dict[str, tuple[Trait, int]] = {
    "format": (_formats, 20),
    "size": (_sizes, 20),
    "pixels": (_pixels, 20),
    "shape": (_shapes, 20),
    "background": (_borders, 20),
}


def _words(finding: Finding) -> dict[str, str]:
    values = finding.values
    return {
        "names": check.labels(finding),
        "share": f"{100 * values['share']:.0f}",
        "others": f"{100 * values['others']:.0f}",
    }


def _entry(name: str, tell: Callable[[Finding], str], look: Callable[[Evidence], Iterable[Finding]] | None = None) -> Check:
    return Check(f"shortcut-{name}", "serious", tell, ("keep",), ("keep",), look)


CHECKS = (
    _entry(
        "format",
        lambda finding: _(
            "{share} % of the pictures of {names} have one file format, and {others} % of the others: a model may learn the traces of "
            "the format in place of what is shown. Bring pictures of all classes from the same source."
        ).format(**_words(finding)),
        given_away,
    ),
    _entry(
        "size",
        lambda finding: _(
            "{share} % of the pictures of {names} have exactly one size, and {others} % of the others: a model may learn that in place "
            "of what is shown. Bring pictures of all classes from the same source."
        ).format(**_words(finding)),
    ),
    _entry(
        "pixels",
        lambda finding: _(
            "The number of pixels alone tells {names} from the other classes ({share} % against {others} %): a model may learn how sharp "
            "pictures are in place of what is shown. Bring pictures of all classes from the same source."
        ).format(**_words(finding)),
    ),
    _entry(
        "shape",
        lambda finding: _(
            "The shape of the picture, wide or tall, alone tells {names} from the other classes ({share} % against {others} %): a model "
            "may learn that in place of what is shown. Bring pictures of all classes from the same source."
        ).format(**_words(finding)),
    ),
    _entry(
        "background",
        lambda finding: _(
            "The colour of the background alone tells {names} from the other classes ({share} % against {others} %): a model may learn "
            "the background in place of what is shown. Add pictures with other backgrounds."
        ).format(**_words(finding)),
    ),
)

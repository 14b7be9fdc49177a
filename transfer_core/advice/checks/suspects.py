"""What a network says of the pictures: likely wrong labels, or that it can't tell, and pictures unlike all others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from transfer_core.advice.checks.check import Check, Finding, Item, found, picture
from transfer_core.data.samples import Sample
from transfer_core.i18n import _, ngettext
from transfer_core.metrics.label_errors import label_errors
from transfer_core.metrics.outliers import outliers


def wrong_labels(samples: Sequence[Sample], classes: Sequence[str], probabilities: NDArray[np.float64]) -> list[Finding]:
    """Samples whose class is likely another, the likeliest first, from out-of-fold `probabilities [N, classes]`.

    Where those are right too rarely to name any, that is the finding: "none named" would sound like "none wrong".
    """
    numbers = {label: number for number, label in enumerate(classes)}
    suspects = label_errors(probabilities, np.array([numbers[sample.label or ""] for sample in samples]))
    if not suspects.reliable:
        return found("labels-not-judged", (Item(label, None, label) for label in classes), share=suspects.accuracy)
    items = [
        picture(samples[place], key=f"{samples[place].content} {samples[place].label}", to=classes[other])
        for place, other in zip(suspects.samples, suspects.suggested, strict=True)
    ]
    return found("wrong-labels", items)


def unlike_others(samples: Sequence[Sample], distances: NDArray[np.float64]) -> list[Finding]:
    """Samples that are far from all others, the farthest first, from their `distances [N]` to those."""
    labels = np.unique([sample.label or "" for sample in samples], return_inverse=True)[1]
    return found("outliers", (picture(samples[place]) for place in outliers(distances, labels)))


CHECKS = (
    Check(
        "wrong-labels",
        "look",
        lambda finding: ngettext(
            "{count} picture looks more like another class than its own: its class may be wrong. Look at it.",
            "{count} pictures look more like another class than their own: some may stand in the wrong one. Look at them, the surest "
            "come first.",
            finding.count,
        ).format(count=f"{finding.count:,}"),
        ("relabel", "keep"),
        ("relabel", "exclude", "keep"),
    ),
    Check(
        "labels-not-judged",
        "note",
        lambda finding: _(
            "Wrong labels can't be told here: the network that looked for them gives only {share} % of the pictures the class they are in, "
            "too few to doubt the others. Train with a stronger backbone, then check again."
        ).format(share=f"{100 * finding.values['share']:.0f}"),
        ("keep",),
    ),
    Check(
        "outliers",
        "look",
        lambda finding: ngettext(
            "{count} picture is unlike all others: it may have come in by mistake. Look at it.",
            "{count} pictures are unlike all others: some may have come in by mistake. Look at them, the strangest come first.",
            finding.count,
        ).format(count=f"{finding.count:,}"),
        ("exclude", "keep"),
        ("exclude", "keep"),
    ),
)

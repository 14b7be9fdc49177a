"""Pictures that a network finds odd: likely wrong labels, and pictures unlike all others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from transfer_core.advice.checks.check import Check, Finding, found, picture
from transfer_core.data.samples import Sample
from transfer_core.i18n import ngettext
from transfer_core.metrics.label_errors import label_errors
from transfer_core.metrics.outliers import outliers


def wrong_labels(samples: Sequence[Sample], classes: Sequence[str], probabilities: NDArray[np.float64]) -> list[Finding]:
    """Samples whose class is likely another, the likeliest first, from out-of-fold `probabilities [N, classes]`."""
    numbers = {label: number for number, label in enumerate(classes)}
    suspects = label_errors(probabilities, np.array([numbers[sample.label or ""] for sample in samples]))
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

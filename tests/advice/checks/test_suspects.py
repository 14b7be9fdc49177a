"""What a network finds odd, as findings: the class that is suggested, and keys that a new label makes new."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from transfer_core.advice.checks.suspects import unlike_others, wrong_labels
from transfer_core.data.project import Project
from transfer_core.data.scan import scan


def test_a_wrong_label_is_suggested_another(pictures: Callable[..., Path]) -> None:
    project = Project.for_source(pictures(count=14))
    scan(project)
    samples = project.table.samples()
    classes = ["circle", "square", "triangle"]
    probabilities = 0.03 + 0.91 * np.eye(3)[[classes.index(sample.label or "") for sample in samples]]
    probabilities[4] = (0.02, 0.03, 0.95)
    (finding,) = wrong_labels(samples, classes, probabilities)
    (item,) = finding.items
    assert (item.id, item.label, item.to) == (samples[4].id, "circle", "triangle")
    assert item.key == f"{samples[4].content} circle"
    assert wrong_labels(samples, classes, np.delete(probabilities, 4, 0).repeat(1, 0)[[*range(4), 0, *range(4, 41)]]) == []


def test_a_picture_far_from_all_is_found(pictures: Callable[..., Path]) -> None:
    project = Project.for_source(pictures(count=14))
    scan(project)
    samples = project.table.samples()
    distances = np.random.default_rng(0).uniform(0.1, 0.2, len(samples))
    assert unlike_others(samples, distances) == []
    distances[[7, 30]] = (0.6, 0.7)
    (finding,) = unlike_others(samples, distances)
    assert finding.ids == [samples[30].id, samples[7].id]

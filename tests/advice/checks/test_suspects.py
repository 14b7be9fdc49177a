"""What a network finds odd, as findings: the class that is suggested, and keys that a new label makes new."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from transfer_core.advice.checks.suspects import unlike_others, wrong_labels
from transfer_core.advice.findings import Findings, apply, sentence, standing
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


def test_a_network_that_knows_too_little_says_so(pictures: Callable[..., Path]) -> None:
    """Or a set of which half is in the wrong class would pass for a clean one."""
    project = Project.for_source(pictures(count=14))
    scan(project)
    samples = project.table.samples()
    classes = ["circle", "square", "triangle"]
    answers = np.array([classes.index(sample.label or "") for sample in samples])
    answers[::2] = (answers[::2] + 1) % 3
    (finding,) = wrong_labels(samples, classes, 0.03 + 0.91 * np.eye(3)[answers])
    assert finding.check == "labels-not-judged" and finding.values == {"share": 0.5}
    assert "50 %" in sentence(finding)
    assert standing(project, Findings("", 0.0, "starter", (finding,))) == [finding]
    apply(project, finding, "keep")
    assert standing(project, Findings("", 0.0, "starter", (finding,))) == []


def test_a_picture_far_from_all_is_found(pictures: Callable[..., Path]) -> None:
    project = Project.for_source(pictures(count=14))
    scan(project)
    samples = project.table.samples()
    distances = np.random.default_rng(0).uniform(0.1, 0.2, len(samples))
    assert unlike_others(samples, distances) == []
    distances[[7, 30]] = (0.6, 0.7)
    (finding,) = unlike_others(samples, distances)
    assert finding.ids == [samples[30].id, samples[7].id]

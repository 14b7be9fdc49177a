"""The data doctor: all that can be said of a project's pictures before anything is trained on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from transfer_core.advice.candidates import Candidate, candidate, candidates
from transfer_core.advice.checks.check import Evidence, Finding
from transfer_core.advice.checks.suspects import unlike_others, wrong_labels
from transfer_core.advice.checks.table import CHECKS
from transfer_core.advice.findings import Findings, keep_findings, now_stamp, pictures_digest
from transfer_core.advice.opinions import out_of_fold
from transfer_core.advice.passes import KeptFeatures, compute
from transfer_core.backbones.catalogue import STARTER, backbone_info
from transfer_core.backbones.weights import kept_weights
from transfer_core.data.project import Project
from transfer_core.data.samples import Sample
from transfer_core.data.scan import scan
from transfer_core.errors import BackboneError, WeightsError
from transfer_core.images.pixels import Source
from transfer_core.metrics.outliers import distance_to_others
from transfer_core.training.choices import choose_threads
from transfer_core.training.settings import RunSettings

Checkpoint = Callable[[], None]
Tell = Callable[[str, int, int], None]

FEWEST = 10  # pictures below which a network has nothing to compare


def check_data(data: Path, backbone: str | None = None, progress: Tell | None = None) -> tuple[Project, Findings]:
    """Examine a folder of labelled pictures, or a project; raises DataError and StorageError as a scan does."""
    project = Project.for_source(data)
    return project, examine(project, backbone, progress=progress)


def examine(
    project: Project,
    backbone: str | None = None,
    threads: int = 0,
    seed: int = 0,
    progress: Tell | None = None,
    checkpoint: Checkpoint | None = None,
) -> Findings:
    """Look through the project's folders, decode what is new, let every check look, and keep what they found.

    `backbone` is the network whose features tell likely wrong labels and outliers; the starter where it is not here or can't be used.
    A bad file is a finding and stops nothing. `progress(phase, done, total)` has the phases "scan", "decode", "features" and "head";
    `checkpoint()` is called between batches and may raise to stop: what was computed stays. Raises DataError and StorageError.
    """
    tell = progress or (lambda _phase, _done, _total: None)
    check = checkpoint or (lambda: None)
    scan(project, lambda done, total: tell("scan", done, total), check)
    pictures = pictures_digest(project)
    found, used = _by_network(project, backbone, threads, seed, tell, check)
    evidence = Evidence(project.table.samples(state=None))
    for each in CHECKS.values():
        if each.look:
            check()
            found += each.look(evidence)
    findings = now_stamp(pictures, found, used)
    keep_findings(project, findings)
    return findings

"""Folders of drawn pictures, looked through, and what the checks that need no network say of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from transfer_core.advice.checks.check import Evidence, Finding
from transfer_core.advice.checks.classes import class_findings
from transfer_core.advice.checks.table import CHECKS
from transfer_core.data.project import Project
from transfer_core.data.scan import scan

Look = Callable[..., dict[str, Finding]]


@pytest.fixture
def look() -> Look:
    """`look(folder)` gives the findings by check; `look(folder, borders=...)` with the colours of edges by file name."""

    def examine(folder: Path | Project, borders: dict[str, tuple[float, float, float]] | None = None) -> dict[str, Finding]:
        project = folder if isinstance(folder, Project) else Project.for_source(folder)
        scan(project)
        samples = project.table.samples(state=None)
        known = {sample.content: borders[sample.relative] for sample in samples if borders and sample.relative in borders}
        evidence = Evidence(samples, known)
        found = [finding for check in CHECKS.values() if check.look for finding in check.look(evidence)]
        return {finding.check: finding for finding in [*found, *class_findings(project.table.classes())]}

    return examine


@pytest.fixture
def names() -> Callable[[Path, Finding], list[str]]:
    """`names(folder, finding)`: the files that a finding points at, in its order."""

    def of(folder: Path, finding: Finding) -> list[str]:
        samples = {sample.id: sample.relative for sample in Project.for_source(folder).table.samples(state=None)}
        return [samples[id] for id in finding.ids]

    return of

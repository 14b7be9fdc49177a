"""Pictures are looked at with the eyes of the last run, as long as they are here."""

from __future__ import annotations

from pathlib import Path

import pytest

from transfer_core.backbones.catalogue import STARTER
from transfer_core.backbones.weights import KeptWeights
from transfer_core.data.project import Project
from transfer_core.files import write_json
from transfer_core.runs import last_backbone
from transfer_core.runs.folder import create_run
from transfer_core.runs.last_backbone import weights_at_hand
from transfer_core.training.settings import RunSettings


def test_the_newest_run_whose_weights_are_here(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The starter before there is any; a run that never began, or whose weights went, counts for nothing."""
    assert weights_at_hand(project.folder).backbone == STARTER
    here = [KeptWeights("resnet18", digest * 64, tmp_path / digest, "") for digest in "ab"]
    monkeypatch.setattr(last_backbone, "kept_weights", lambda: here)
    runs = [create_run(project, RunSettings()) for _number in range(4)]
    for run, digest in zip(runs[:3], ("a" * 64, "b" * 64, "c" * 64), strict=True):
        write_json(run.folder / "choices.json", {"digest": digest})
    newest = sorted(runs[:2], key=lambda run: (run.created, run.id))[-1]
    assert weights_at_hand(project.folder).digest[0] == {runs[0].id: "a", runs[1].id: "b"}[newest.id]
    for run in runs:
        (run.folder / "choices.json").write_text("[]")
    assert weights_at_hand(project.folder).backbone == STARTER

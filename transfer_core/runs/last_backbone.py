"""The backbone that a project's pictures were last learnt with: what looks at them anew looks with the same eyes, at no new cost."""

from __future__ import annotations

from pathlib import Path

from transfer_core.backbones.catalogue import STARTER
from transfer_core.backbones.weights import KeptWeights, kept_weights, obtain
from transfer_core.errors import TransferError
from transfer_core.files import read_json
from transfer_core.runs.folder import list_runs


def weights_at_hand(project_folder: Path) -> KeptWeights:
    """The weights of the last training, or the starter's where there are none. Fetches nothing."""
    return weights_of_last_run(project_folder) or obtain(STARTER)


def weights_of_last_run(project_folder: Path) -> KeptWeights | None:
    """The weights that the newest run began with whose weights are still here, or None."""
    here = {kept.digest: kept for kept in kept_weights()}
    for run in list_runs(project_folder):
        try:
            settled = read_json(run.folder / "choices.json")
        except TransferError:  # it never came so far
            continue
        if isinstance(settled, dict) and settled.get("digest") in here:
            return here[settled["digest"]]
    return None

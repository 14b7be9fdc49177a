"""The process of an automatic model whose training is a stand-in: what it does is said by the file `what` in its project."""

from __future__ import annotations

import sys
import time
from typing import Any

from tests.runs.fake_worker import stand_in
from transfer_core.errors import DataError
from transfer_core.runs.worker import main
from transfer_core.training.samples import RunSamples


def execute(context: Any) -> dict[str, Any]:
    file = context.project.folder / "what"
    what = file.read_text() if file.exists() else ""
    samples = RunSamples.of_project(context.project)
    samples.write(context.folder)
    if what == "refused":
        raise DataError("These pictures won't do.", code="bad-pictures", fix="Take others.")
    while what == "slow":
        context.stop_if_asked()
        time.sleep(0.02)
    (context.folder / "model").mkdir()
    (context.folder / "model" / "model.json").write_text("{}")
    return {"classes": samples.classes, "val": {"accuracy": 0.9, "low": 0.6, "high": 0.98, "count": 10}, "test": None}


if __name__ == "__main__":
    stand_in("transfer_core.training.execute", execute=execute)
    stand_in("transfer_core.training.checkpoint", last_step=lambda folder: 0)
    sys.exit(main())

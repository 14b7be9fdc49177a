"""The process of a run: `python -m transfer_core.runs.worker RUN_FOLDER [--resume] [--after TIME]`.

Exits with 0, or 2 when the run failed or was another process's to carry.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from transfer_core.processes import make_way
from transfer_core.runs import carry, extension
from transfer_core.runs.folder import Run


def main(arguments: list[str] | None = None) -> int:
    """Carry the run in the given folder, unless another process does."""
    parser = argparse.ArgumentParser(prog="transfer_core.runs.worker")
    parser.add_argument("run", type=Path)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--after", type=float)
    options = parser.parse_args(arguments)
    return carry.main(lambda: Run(options.run), lambda carrier: _train(carrier, options.resume), options.after)


def _train(carrier: carry.Carrier, resume: bool) -> carry.Result:
    """The run's report, or what it was asked to end for."""
    run = Run(carrier.work.folder)
    settings = run.settings
    if run.automatic:
        make_way()
    # Only now what takes seconds to import: whoever watches already sees that the run is starting.
    from transfer_core.data.project import Project
    from transfer_core.training.checkpoint import last_step
    from transfer_core.training.context import Context, Paused, Stopped
    from transfer_core.training.execute import execute

    carrier.tell_begin(last_step(run.folder))
    context = Context(
        folder=run.folder,
        project=Project.open(run.project_folder),
        settings=settings,
        emit=carrier.emit,
        requested=carrier.requested,
        resumed=resume or carrier.began_before,
        # Only after it was told that the run goes on: until then a process that comes after this one has to find the request.
        extensions=extension.take(run.folder),
    )
    try:
        context.stop_if_asked()
        return {"run": str(run.folder), "model": str(run.model_folder), **execute(context)}
    except Paused:
        return "pause"
    except Stopped:
        return "stop"


if __name__ == "__main__":
    sys.exit(main())

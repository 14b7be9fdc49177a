"""The process of a run: `python -m transfer_core.runs.worker RUN_FOLDER [--resume] [--after TIME]`.

Started by `torchrun` several times, the first is the run's process and the others assist it.
Exits with 0, or 2 when the run failed or was another process's to carry.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from transfer_core.processes import hold_memory, make_way
from transfer_core.runs import assistant, carry, extension
from transfer_core.runs.control import Request
from transfer_core.runs.folder import Run
from transfer_core.runs.several import Starter
from transfer_core.training import world


def main(arguments: list[str] | None = None) -> int:
    """Carry the run in the given folder, unless another process does."""
    parser = argparse.ArgumentParser(prog="transfer_core.runs.worker")
    parser.add_argument("run", type=Path)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--after", type=float)
    options = parser.parse_args(arguments)
    hold_memory()
    if world.rank() > 0:
        assistant.main(options.run)
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
    from transfer_core.training.choices import choose_device
    from transfer_core.training.context import Context, Paused, Stopped
    from transfer_core.training.execute import execute

    carrier.tell_begin(last_step(run.folder))
    together = settings.plan == "custom" and world.started_by_torchrun()
    context = Context(
        folder=run.folder,
        project=Project.open(run.project_folder),
        settings=settings,
        emit=carrier.emit,
        requested=_asked_while_together(carrier) if together else carrier.requested,
        resumed=resume or carrier.began_before,
        # Only after it was told that the run goes on: until then a process that comes after this one has to find the request.
        extensions=extension.take(run.folder),
    )
    if together:
        context.world = world.join(choose_device(settings))
        context.world.tell((context.resumed, context.extensions))
    try:
        context.stop_if_asked()
        return {"run": str(run.folder), "model": str(run.model_folder), **execute(context)}
    except Paused:
        context.part_early("pause")
        return "pause"
    except Stopped:
        context.part_early("stop")
        return "stop"


def _asked_while_together(carrier: carry.Carrier) -> Callable[[], Request | None]:
    starter = Starter.of_this_process()

    def requested() -> Request | None:
        if starter.gone():
            raise world.lost(world.size())
        return carrier.requested()

    return requested


if __name__ == "__main__":
    sys.exit(main())

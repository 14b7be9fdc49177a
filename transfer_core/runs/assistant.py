"""A further process of a training by several: it computes its share, and neither tells nor keeps anything."""

from __future__ import annotations

import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

from transfer_core.errors import TransferError
from transfer_core.runs.carry import open_log
from transfer_core.runs.folder import Run
from transfer_core.runs.several import Starter
from transfer_core.training.length import Extension

log = logging.getLogger("transfer_core.assistant")


def main(folder: Path) -> NoReturn:
    """Train the run along with its first process, and end this one with 0, or with 2 when it could not."""
    open_log()
    Starter.of_this_process().end_with_it()
    code = 0
    try:
        run = Run(folder)
        # The other plans are the first process's alone.
        if run.settings.plan == "custom":
            _assist(run)
    except TransferError as error:
        log.error("%s", error, exc_info=error)
        code = 2
    logging.shutdown()
    sys.stderr.flush()
    # Python takes torch's threads down on its way out, and now and then that aborts. To `torchrun` this process would have failed, and
    # it would stop the first one, which may be making the model still.
    os._exit(code)


def _assist(run: Run) -> None:
    from transfer_core.data.project import Project
    from transfer_core.training.choices import choose_device
    from transfer_core.training.context import Context, Stopped
    from transfer_core.training.execute import assist
    from transfer_core.training.world import join

    settings = run.settings
    world = join(choose_device(settings))
    # From here on the first is asked to stop, and all end at the same step; where one was killed, its closed connection ends this one.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    unknown: tuple[bool, tuple[Extension, ...]] = (False, ())
    resumed, extensions = world.tell(unknown)
    project = Project.open(run.project_folder)
    added = tuple((epochs, after) for epochs, after in extensions)
    context = Context(run.folder, project, settings, _silent, lambda: None, resumed, added, world)
    try:
        assist(context)
    except Stopped:
        context.part_early("stop")


def _silent(event: str, /, **fields: Any) -> None:
    """The first process tells it."""

"""Pictures that arrived are looked through: at once when all are here, and soon after the last when nobody said so."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from anyio.to_thread import run_sync

from transfer_core.data import receiving
from transfer_core.data.project import Project
from transfer_core.data.reading import Source
from transfer_core.errors import TransferError

LOG = logging.getLogger(__name__)

QUIET = 5.0  # seconds without a picture after which no more are expected: the tab was closed, or the phone is out of reach
POLL = 0.5  # seconds between two looks at a scan that is at work

_waiting: dict[Path, asyncio.TimerHandle] = {}
_tasks: set[asyncio.Task[None]] = set()


def expect_more(folder: Path) -> None:
    """Note that a picture came into the project in `folder`, and that others may follow."""
    _forget(folder)
    _waiting[folder] = asyncio.get_running_loop().call_later(QUIET, _look_through_soon, folder)


async def all_here(project: Project) -> Source | None:
    """Look through the pictures of `project`: no more are coming. Raises TransferError.

    Where the classes of what came can be told in several ways, somebody has to choose first: returns that source, and nothing begins.
    """
    _forget(project.folder)
    unclear = await run_sync(receiving.all_arrived, project)
    if not project.folder.exists():
        return None
    if unclear is None and not await run_sync(_start_scan, project.folder):
        _look_through_soon(project.folder)
    return unclear


def _forget(folder: Path) -> None:
    timer = _waiting.pop(folder, None)
    if timer is not None:
        timer.cancel()


def _look_through_soon(folder: Path) -> None:
    _waiting.pop(folder, None)
    task = asyncio.get_running_loop().create_task(_look_through(folder))
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


async def _look_through(folder: Path) -> None:
    try:
        # A scan that is at work may have gone past the folder that the picture went into.
        while not await run_sync(_start_scan, folder):
            await asyncio.sleep(POLL)
    except TransferError:
        LOG.exception("the pictures in %s are not looked through", folder)


def _start_scan(folder: Path) -> bool:
    """Start a scan; returns False when one is at work, so that this one has to wait."""
    from transfer_core.data import scanning  # here: it loads NumPy, which the home page does without

    project = Project.open(folder)
    if scanning.state(project).status == "running":
        return False
    receiving.read_likeliest(project)
    scanning.start(project)
    return True

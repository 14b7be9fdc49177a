"""What is asked of a run or a job from outside: an empty file in `control/`, looked for between batches."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from transfer_core.errors import storage_error

if TYPE_CHECKING:
    from transfer_core.runs.work import Work

Request = Literal["stop", "pause", "finish"]
FOLDER = "control"
REQUESTS: tuple[Request, ...] = ("stop", "pause", "finish")  # the first one found counts


def request(work: Work, what: Request) -> None:
    """Ask its process to stop or to pause (and be resumed later), or to finish with what it has learned so far."""
    file = work.folder / FOLDER / what
    try:
        file.parent.mkdir(exist_ok=True)
        file.touch()
    except OSError as error:
        raise storage_error(error, file) from error


def requested(folder: Path) -> Request | None:
    """What is asked of the work in `folder` now; cheap enough to be called for every batch."""
    # os.path and not pathlib: this runs between training steps.
    for what in REQUESTS:
        if os.path.exists(os.path.join(folder, FOLDER, what)):  # noqa: PTH110, PTH118
            return what
    return None


def clear(folder: Path) -> None:
    """Forget what was asked of the work in `folder`."""
    for what in REQUESTS:
        (folder / FOLDER / what).unlink(missing_ok=True)

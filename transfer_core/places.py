"""Where things of ours lie on this computer."""

from __future__ import annotations

import os
from pathlib import Path

from transfer_core.errors import storage_error

VARIABLE = "TRANSFER_STUDIO_HOME"


def home() -> Path:
    """The folder of projects: `~/TransferStudio`, or what TRANSFER_STUDIO_HOME says."""
    chosen = os.environ.get(VARIABLE)
    return Path(chosen).expanduser().absolute() if chosen else Path.home() / "TransferStudio"


def own_folder(name: str) -> Path:
    """A folder of ours inside `home()`, made when missing; its dot keeps it out of the list of projects.

    Raises StorageError when it can't be made.
    """
    folder = home() / ".studio" / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(error, folder) from error
    return folder


def weights_folder() -> Path:
    """Where weights and their graphs are kept, for all projects."""
    return own_folder("weights")


def trash_folder() -> Path:
    """Where deleted projects and runs go; the user's pictures never do."""
    return own_folder("trash")

"""What the user prefers, on disk, for all browsers and commands alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from filelock import FileLock

from transfer_core.errors import TransferError, storage_error
from transfer_core.files import read_json, write_json
from transfer_core.places import own_folder


def settings_file() -> Path:
    """Where preferences are kept; raises StorageError when its folder can't be made."""
    return own_folder("settings") / "settings.json"


def read() -> dict[str, Any]:
    """The preferences; none when the file is missing or damaged."""
    try:
        saved = read_json(settings_file())
    except TransferError:
        return {}
    return saved if isinstance(saved, dict) else {}


def change(**values: Any) -> None:
    """Keep these preferences beside the others; None forgets one. Raises StorageError."""
    file = settings_file()
    try:
        # Two pages that change different preferences at once must not undo each other's.
        with FileLock(file.with_name(f"{file.name}.lock")):
            kept = read() | values
            write_json(file, {name: value for name, value in kept.items() if value is not None})
    except OSError as error:
        raise storage_error(error, file) from error

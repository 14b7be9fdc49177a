"""Files written whole or not at all: a temporary neighbour, fsync, then rename. And what they hold, as a digest."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from transfer_core.errors import TransferError, storage_error


def write_whole(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Let `write` fill `path`; readers see the old file or the whole new one.

    Raises StorageError naming `path` when the disk refuses; no partial file stays behind.
    """
    # Not named after `path`: a name as long as file systems allow could not be made longer.
    temporary = path.with_name(f".{secrets.token_hex(8)}.partial")
    try:
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise storage_error(error, path) from error
    finally:
        # Where it could not even be opened, its removal may be refused too, and must not hide the sentence.
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable, where the system can (Windows can't open a folder)."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path`, whole."""
    write_whole(path, lambda file: file.write(data))


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` in UTF-8, whole."""
    write_bytes(path, text.encode())


def write_json(path: Path, data: Any) -> None:
    """Write `data` to `path` as JSON, whole."""
    write_text(path, json.dumps(data, ensure_ascii=False, indent=1) + "\n")


def read_json(path: Path, error: type[TransferError] = TransferError) -> Any:
    """The JSON in `path`; raises `error` naming the file when it is missing or not JSON."""
    from transfer_core.i18n import _

    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError as cause:
        raise error(_("{file} is missing.").format(file=path), file=path) from cause
    except (OSError, ValueError) as cause:
        raise error(_("{file} can't be read: {reason}.").format(file=path, reason=cause), file=path) from cause


def as_cell(text: str) -> str:
    """`text` for a cell of a CSV, so that a spreadsheet takes it for text and never for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else text


def digest_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimals; raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

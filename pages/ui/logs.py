"""The log of the page server, in a file that the Settings page names."""

from __future__ import annotations

import logging
from contextlib import suppress
from functools import cache
from logging.handlers import RotatingFileHandler
from pathlib import Path

from transfer_core.errors import TransferError
from transfer_core.places import own_folder

NAME = "transfer_studio"
_MOST = 1_000_000  # bytes a file


def log_file() -> Path:
    """Where the page server writes what went wrong."""
    return own_folder("logs") / "pages.log"


@cache
def write_to_file() -> None:
    """Let everything of ours be written to `log_file()`, from the first page on."""
    handlers: list[logging.Handler] = [logging.StreamHandler()]
    with suppress(OSError, TransferError):  # no room or no permission: the terminal has to do
        handlers.append(RotatingFileHandler(log_file(), maxBytes=_MOST, backupCount=2, encoding="utf-8", delay=True))
    for handler in handlers:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
        logging.getLogger(NAME).addHandler(handler)

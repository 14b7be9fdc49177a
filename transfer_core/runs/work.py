"""What a run and a job have in common: a folder, and a process of its own that tells in it what it does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from transfer_core.errors import RunError, TransferError
from transfer_core.files import read_json


class Work(ABC):
    """A folder that one process at a time carries. Whoever shows it only reads what that process wrote there."""

    folder: Path
    id: str

    @property
    def log_file(self) -> Path:
        """What its process printed, tracebacks included."""
        return self.folder / "worker.log"

    @property
    def events_file(self) -> Path:
        """What it told."""
        return self.folder / "events.jsonl"

    @property
    def report_file(self) -> Path:
        """Where `report` is kept."""
        return self.folder / "report.json"

    @property
    def lock_file(self) -> Path:
        """Held by its process, so that there is never a second one."""
        return self.folder / ".lock"

    @property
    def disk_folder(self) -> Path:
        """What stands on the disk that is meant when a library only says that a disk is full."""
        return self.folder

    def report(self) -> dict[str, Any] | None:
        """What came out of it; None before it is finished."""
        return read_json(self.report_file, RunError) if self.report_file.exists() else None

    def reopened(self) -> bool:
        """Whether more is asked of it although it is finished."""
        return False

    @abstractmethod
    def died(self) -> TransferError:
        """What is said when its process ended without a word."""

"""Scanning in a process of its own, so that no page waits for a large folder."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock, Timeout

from transfer_core.data.looking import look
from transfer_core.data.project import Project
from transfer_core.data.receiving import forget_unpacked
from transfer_core.data.scan import scan
from transfer_core.data.sources import bring_in
from transfer_core.errors import TransferError, storage_error
from transfer_core.files import write_json
from transfer_core.processes import lives, module_command, spare_memory, start_apart

LOG = logging.getLogger(__name__)

LOCK_PATIENCE = 2.0  # seconds
AGAIN = "again"  # a file beside the state: pictures were added while a scan was under way


@dataclass(frozen=True)
class ScanState:
    """How far the scan of a project is: `none`, `running`, `finished` or `failed`.

    It is at one of "unpack" (counted in bytes), "scan" (in files), "look" and "compare" (in pictures).
    """

    status: str
    done: int = 0
    total: int = 0
    error: dict[str, Any] | None = None
    report: dict[str, Any] | None = None
    doing: str = "scan"


def start(project: Project) -> None:
    """Start scanning `project`; a scan that is under way begins once more when it is through, for what was added meanwhile."""
    folder = _folder(project)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _ending(folder):
            if state(project).status == "running":
                (folder / AGAIN).touch()
                return
            write_json(folder / "state.json", {"status": "running", "time": time.time()})
        with (folder / "scan.log").open("ab") as log:
            start_apart(module_command("transfer_core.data.scanning", project.folder), log, project.folder)
    except OSError as error:
        raise storage_error(error, folder) from error


def state(project: Project) -> ScanState:
    """What the last scan of `project` says of itself; one whose process died counts as none."""
    try:
        data = json.loads((_folder(project) / "state.json").read_bytes())
        # Between its start and its first words a scan has no process id on record yet.
        alive = lives(data["pid"], data["created"]) if "pid" in data else time.time() - data.get("time", 0) < 10
        if data["status"] in ("finished", "failed") or (data["status"] == "running" and alive):
            known = {name: data[name] for name in ("done", "total", "error", "report", "doing") if name in data}
            return ScanState(data["status"], **known)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass  # never begun, or damaged, which is as good as never begun: it lies in the cache
    return ScanState("none")


def _ending(folder: Path) -> FileLock:
    """Held while a scan ends and while one is asked for: whoever asks sees it at work and is heard, or sees its end and starts another."""
    return FileLock(folder / ".ending.lock")


def _folder(project: Project) -> Path:
    return project.cache / "scan"


def main(folder: Path) -> int:
    """Scan the project in `folder`, telling how far it is in `cache/scan/state.json`."""
    spare_memory()
    project = Project.open(folder)
    target = _folder(project) / "state.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    who = {"pid": os.getpid(), "created": psutil.Process().create_time()}
    told = 0.0

    def tell(doing: str, done: int, total: int) -> None:
        nonlocal told
        if time.monotonic() - told > 0.3:
            told = time.monotonic()
            write_json(target, who | {"status": "running", "doing": doing, "done": done, "total": total})

    try:
        # A process that has just told its end may still hold it for a moment.
        with FileLock(target.with_name(".lock"), timeout=LOCK_PATIENCE):
            finished = False
            while not finished:
                target.with_name(AGAIN).unlink(missing_ok=True)
                project = Project.open(folder)
                told = 0.0
                tell("scan", 0, 0)
                for source in project.sources:
                    bring_in(source, partial(tell, "unpack"))
                report = scan(project, partial(tell, "scan"))
                forget_unpacked(project)
                look(project, progress=partial(tell, "look"), comparing=partial(tell, "compare"))
                with _ending(target.parent):
                    finished = not target.with_name(AGAIN).exists()
                    if finished:
                        write_json(target, who | {"status": "finished", "report": asdict(report)})
    except Timeout:
        return 0
    except TransferError as error:
        write_json(target, who | {"status": "failed", "error": error.as_data()})
        return 2
    except Exception as error:
        LOG.exception("scan failed")
        write_json(target, who | {"status": "failed", "error": TransferError(str(error), code="internal").as_data()})
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

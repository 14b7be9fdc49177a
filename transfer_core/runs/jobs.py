"""Jobs: long work that is not a training, such as a download. Each is a folder and a process, and tells the events of a run."""

from __future__ import annotations

import secrets
import shutil
import time
from pathlib import Path
from typing import Any

from filelock import FileLock

from transfer_core.errors import RunError, TransferError, newer_schema, storage_error
from transfer_core.files import read_json, write_json
from transfer_core.i18n import _
from transfer_core.places import own_folder
from transfer_core.processes import module_command
from transfer_core.runs import control
from transfer_core.runs.events import EventWriter, make_reserve
from transfer_core.runs.process import is_alive
from transfer_core.runs.starting import gone, start_process
from transfer_core.runs.state import ACTIVE, read_state
from transfer_core.runs.work import Work

__all__ = ["Job", "active_jobs", "begin", "create_job", "find_job", "list_jobs", "read_state", "start", "stop"]

SCHEMA = 1
FILE = "job.json"
KEPT = 20  # jobs that ended, for their error and their log


class Job(Work):
    """A job folder, opened. Raises RunError when it is none or a newer program wrote it."""

    def __init__(self, folder: Path | str):
        self.folder = Path(folder).absolute()
        file = self.folder / FILE
        data = read_json(file, RunError)
        try:
            if data["schema"] > SCHEMA:
                raise newer_schema(RunError, file)
            self.id = str(data["id"])
            self.kind = str(data["kind"])
            self.arguments: dict[str, Any] = dict(data["arguments"])
            self.created = float(data["created"])
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(_("{file} does not describe a job.").format(file=file), code="broken-job", file=file) from error

    def __repr__(self) -> str:
        return f"Job({str(self.folder)!r})"

    def died(self) -> RunError:
        """What is said when its process ended without a word."""
        return RunError(
            _("This was interrupted: its process was ended from outside, or the computer went off or ran out of memory."),
            code="died",
            file=self.log_file,
            fix=_("Start it again."),
        )


def begin(kind: str, arguments: dict[str, Any], project_folder: Path | None = None) -> Job:
    """Have this done: by the job that is at it, by one that came to grief before, started again, or by a new one.

    Asked twice, from wherever, it is one job. Raises RunError when its process does not come up, StorageError.
    """
    with _lock(project_folder):
        job = find_job(kind, arguments, project_folder)
        if job is None or read_state(job).status == "finished":
            job = create_job(kind, arguments, project_folder)
        start(job)
        return job


def create_job(kind: str, arguments: dict[str, Any], project_folder: Path | None = None) -> Job:
    """A new job, queued: of a project, or of this computer. Old ones that ended are tidied away.

    Raises RunError for a kind that is not in `KINDS`, StorageError when the disk refuses.
    """
    from transfer_core.runs.job_kinds import KINDS  # here: it loads NumPy, which a page that only looks at jobs does without

    if kind not in KINDS:
        raise RunError(_("There is no kind of job called {kind}.").format(kind=kind), code="unknown-job")
    _tidy(project_folder)
    created = time.time()
    identity = f"{time.strftime('%Y%m%d-%H%M%S', time.localtime(created))}-{secrets.token_hex(2)}"
    folder = _jobs_folder(project_folder) / identity
    try:
        (folder / control.FOLDER).mkdir(parents=True)
        make_reserve(folder)
        with EventWriter(folder / "events.jsonl") as events:
            events.write("run_queued")
        # The last file makes it a job: what comes to grief before it is never listed as one.
        data = {"schema": SCHEMA, "id": identity, "kind": kind, "arguments": arguments, "created": created}
        write_json(folder / FILE, data)
    except (OSError, TransferError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise error if isinstance(error, TransferError) else storage_error(error, folder) from error
    return Job(folder)


def start(job: Job) -> None:
    """Have a process carry the job, again if it ended before it was finished; returns once that process lives.

    One that is at work or finished is left alone. Raises RunError (not-started) when the process does not come up.
    """
    state = read_state(job)
    if state.status in ACTIVE or state.status == "finished":
        return
    if state.alive and not gone(job):
        return
    if state.ended:
        control.clear(job.folder)
    start_process(job, worker_command(job))


def stop(job: Job) -> None:
    """Ask the job to stop; one that is not at work has nothing to stop."""
    if read_state(job).status in ACTIVE:
        control.request(job, "stop")


def worker_command(job: Job) -> list[str]:
    """The command of a job's process."""
    return module_command("transfer_core.runs.job_worker", job.folder)


def list_jobs(project_folder: Path | None = None) -> list[Job]:
    """The jobs of a project, or of this computer, newest first; broken ones are skipped."""
    jobs = []
    for file in _jobs_folder(project_folder).glob(f"*/{FILE}"):
        try:
            jobs.append(Job(file.parent))
        except TransferError:
            continue
    return sorted(jobs, key=lambda job: (job.created, job.id), reverse=True)


def active_jobs(project_folder: Path | None = None) -> list[Job]:
    """The jobs that are at work, newest first."""
    return [job for job in list_jobs(project_folder) if read_state(job).status in ACTIVE]


def find_job(kind: str, arguments: dict[str, Any], project_folder: Path | None = None) -> Job | None:
    """The newest job of this kind with these arguments, however it stands."""
    return next((job for job in list_jobs(project_folder) if (job.kind, job.arguments) == (kind, arguments)), None)


def _jobs_folder(project_folder: Path | None) -> Path:
    if project_folder is None:
        return own_folder("jobs")
    folder = Path(project_folder) / "cache" / "jobs"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(error, folder) from error
    return folder


def _lock(project_folder: Path | None) -> FileLock:
    return FileLock(_jobs_folder(project_folder) / ".lock", thread_local=False)


def _tidy(project_folder: Path | None) -> None:
    resting = [job for job in list_jobs(project_folder) if not is_alive(job)]
    for job in resting[KEPT:]:
        shutil.rmtree(job.folder, ignore_errors=True)

"""The automatic model: a quick one that a project has without anybody asking, and that follows its pictures.

Its trainings are runs in PROJECT/automatic, which no list of runs shows. Whoever looks at the project calls `follow` every few seconds;
what is to be done follows from the folder and the sample table, so that it does not matter who calls, nor how many.
"""

from __future__ import annotations

import shutil
import threading
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from filelock import FileLock, Timeout

from transfer_core import preferences
from transfer_core.errors import RunError, TransferError, storage_error
from transfer_core.files import read_json, write_json
from transfer_core.i18n import _
from transfer_core.runs import control, launch
from transfer_core.runs.folder import AUTOMATIC, Run, create_run, list_runs
from transfer_core.runs.process import is_alive
from transfer_core.runs.state import ACTIVE, RunState, read_state

if TYPE_CHECKING:
    from transfer_core.data.project import Project
    from transfer_core.training.settings import RunSettings

FEWEST = 5  # pictures that two classes need each
MOST = 5_000  # pictures: more take too long for something that nobody asked for
QUIET = 2.0  # seconds without a change before it begins: a burst of pictures or a row of edits is one change
ATTEMPTS = 3  # after so many processes that were killed on the same pictures, a fourth would be, too
KEPT = 2  # models: the one before may be in use until pages look again

PREFERENCE = "automatic"
ASKED = "asked.json"
_PATIENCE = 10.0  # seconds for a run to stop

Status = Literal["off", "few", "many", "waiting", "behind", "training", "ready", "failed"]


@dataclass(frozen=True)
class Automatic:
    """How the automatic model of a project stands.

    `off`: not wanted; `few`, `many`: pictures; `waiting`: a training of the user's goes first; `behind`: pictures changed a moment ago or
    are being looked through; `training`; `ready`: it knows the pictures as they are; `failed`: for the reason `error`, and tried again
    when the pictures change. `model` is the run whose model answers meanwhile, None where there is none yet.
    """

    status: Status
    model: Run | None = None
    error: TransferError | None = None


@dataclass(frozen=True)
class _Pictures:
    """What the sample table says, as long as its files stay as they are; `changed` is a time.time(), `seen` a time.monotonic()."""

    files: tuple[tuple[int, int], ...]
    changed: float
    seen: float
    count: int
    classes: int  # that have enough to learn from
    digest: str

    @property
    def at_rest(self) -> bool:
        """Whether nothing changed for a while, by the files' own times or, where a disk's clock differs, by ours."""
        return time.time() - self.changed >= QUIET or time.monotonic() - self.seen >= QUIET


_known: dict[Path, _Pictures] = {}
_knowing = threading.Lock()


def wanted() -> bool:
    """Whether the user wants automatic models at all; so it is unless said otherwise."""
    return preferences.read().get(PREFERENCE) is not False


def want(wish: bool) -> None:
    """Have automatic models, or none, in all projects; raises StorageError."""
    preferences.change(**{PREFERENCE: None if wish else False})


def model_of(project_folder: Path) -> Run | None:
    """The run of the automatic model that answers now; None where there is none, or none is wanted."""
    return _answering(list_runs(project_folder, AUTOMATIC)) if wanted() else None


def follow(project: Project) -> Automatic:
    """How the automatic model stands, after beginning a training of it where one is due.

    Takes milliseconds while nothing changed (files' times and a few small files), and reads the table of at most `MOST` pictures after a
    change. Raises DataError and StorageError where the table can't be read.
    """
    runs = list_runs(project.folder, AUTOMATIC)
    states = {run.id: read_state(run) for run in runs}
    model = _answering(runs)
    working = [run for run in runs if states[run.id].status in ACTIVE]
    if not wanted() or any(is_alive(run) for run in list_runs(project.folder)):
        for run in working:
            control.request(run, "stop")
        return Automatic("waiting", model) if wanted() else Automatic("off")
    if working:
        return Automatic("training", model)
    pictures = _look(project)
    if pictures.count > MOST:
        return Automatic("many", model)
    if pictures.classes < 2:
        return Automatic("few", model)
    if model is not None and _learnt(model.folder) == pictures.digest:
        if len(runs) > KEPT:
            _tidy(project.folder)
        return Automatic("ready", model)
    if runs and (error := _in_vain(runs[0], states[runs[0].id], pictures.digest)):
        return Automatic("failed", model, error)
    if not pictures.at_rest or _in_motion(project):
        return Automatic("behind", model)
    try:
        _begin(project, pictures.digest)
    except TransferError as problem:
        return Automatic("failed", model, problem)
    return Automatic("training", model)


def halt(project_folder: Path) -> None:
    """End a training of the automatic model, and wait for its end: before the project's folder is moved."""
    working = [run for run in list_runs(project_folder, AUTOMATIC) if is_alive(run)]
    for run in working:
        control.request(run, "stop")
    deadline = time.monotonic() + _PATIENCE
    while any(is_alive(run) for run in working) and time.monotonic() < deadline:
        time.sleep(0.05)


def _answering(runs: list[Run]) -> Run | None:
    """The newest run that has a model."""
    # Its report is the last that a run writes before it says that it is finished.
    return next((run for run in runs if (run.model_folder / "model.json").exists() and run.report_file.exists()), None)


def _look(project: Project) -> _Pictures:
    """What the table says now, read anew only when its files changed."""
    files, changed = _files(project.folder / "samples.sqlite")
    with _knowing:
        known = _known.get(project.folder)
    if known is not None and known.files == files:
        return known
    counts = project.table.classes()
    count = sum(each.total for each in counts)
    enough = sum(each.total >= FEWEST and each.train > 0 for each in counts)
    pictures = _Pictures(
        files, changed, time.monotonic(), count, enough, _digest(project) if enough > 1 and count <= MOST else ""
    )
    with _knowing:
        _known[project.folder] = pictures
    return pictures


def _files(table: Path) -> tuple[tuple[tuple[int, int], ...], float]:
    """Sizes and times of the table and its write-ahead log, and the time of the last change.

    An empty log says nothing: whoever only reads makes one and removes it.
    """
    marks = []
    for file in (table, table.with_name(f"{table.name}-wal")):
        try:
            status = file.stat()
        except OSError:
            continue
        if status.st_size:
            marks.append((status.st_size, status.st_mtime_ns))
    return tuple(marks), max((time_ns for _size, time_ns in marks), default=0) / 1e9


def _digest(project: Project) -> str:
    """The digest of what a run would take now."""
    from transfer_core.training.samples import RunSamples

    return RunSamples.of_project(project).digest


@lru_cache(maxsize=64)
def _learnt(folder: Path) -> str:
    """The digest of what a finished run took, which may not be what it was begun for: it looks for new pictures first."""
    from transfer_core.training.samples import RunSamples

    samples = RunSamples.read(folder)
    return samples.digest if samples else ""


def _in_motion(project: Project) -> bool:
    """Whether the pictures are being looked through, or not all of them can be."""
    from transfer_core.data import scanning

    return scanning.state(project).status == "running" or not project.table.settled() or bool(project.missing_sources())


def _in_vain(run: Run, state: RunState, digest: str) -> TransferError | None:
    """Why another training on the same pictures would end as the last one did; None where there is no reason to think so."""
    asked, attempt = _asked(run)
    if asked != digest:
        return None
    if state.status == "failed":
        return state.error
    if state.status in ("died", "queued") and attempt >= ATTEMPTS:
        return RunError(
            _("The process that trains the automatic model was ended from outside {count} times.").format(count=attempt),
            code="died",
            file=run.log_file,
            fix=_("This computer may be short of memory. The log has the details: {file}.").format(file=run.log_file),
        )
    return None


def _asked(run: Run) -> tuple[str, int]:
    """For which pictures a run was begun, and which attempt it is."""
    try:
        data = read_json(run.folder / ASKED)
        return str(data["digest"]), int(data["attempt"])
    except (TransferError, KeyError, TypeError, ValueError):
        return "", 0


def _begin(project: Project, digest: str) -> None:
    """Begin a training, unless somebody else just does; raises StorageError, RunError."""
    try:
        with _lock(project.folder):
            runs = list_runs(project.folder, AUTOMATIC)
            if any(is_alive(run) for run in runs):
                return
            _clear(project.folder, runs)
            attempt = 1
            if runs and read_state(runs[0]).status in ("died", "queued"):
                asked, before = _asked(runs[0])
                attempt = before + 1 if asked == digest else 1
            run = create_run(project, _settings(project), within=AUTOMATIC)
            write_json(run.folder / ASKED, {"digest": digest, "attempt": attempt})
            launch.start(run)
    except Timeout:
        return


def _settings(project: Project) -> RunSettings:
    """Those of the quick plan, on the weights that this project's pictures were last learnt with."""
    from transfer_core.backbones.weights import obtain
    from transfer_core.runs.last_backbone import weights_at_hand
    from transfer_core.training.settings import RunSettings

    kept = weights_at_hand(project.folder)
    usual = obtain(kept.backbone).digest == kept.digest
    return RunSettings(plan="quick", backbone=kept.backbone, weights=None if usual else str(kept.file))


def _tidy(project_folder: Path) -> None:
    try:
        with _lock(project_folder):
            _clear(project_folder, list_runs(project_folder, AUTOMATIC))
    except Timeout:
        return


def _clear(project_folder: Path, runs: list[Run]) -> None:
    """Delete all but the newest models and the last run, whose end matters. Call with the lock held."""
    models = [run for run in runs if run.report_file.exists()][:KEPT]
    kept = {run.folder for run in (*models, *runs[:1])} | {run.folder for run in runs if is_alive(run)}
    for folder in (project_folder / AUTOMATIC).iterdir():
        if folder.is_dir() and folder not in kept:
            # What is being read can't be deleted on Windows: it goes another time.
            shutil.rmtree(folder, ignore_errors=True)


def _lock(project_folder: Path) -> FileLock:
    folder = project_folder / AUTOMATIC
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise storage_error(error, folder) from error
    return FileLock(folder / ".lock", timeout=0, thread_local=False)

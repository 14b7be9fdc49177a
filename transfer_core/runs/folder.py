"""The folder of a run: what it was asked to do, what it told, and what came out of it."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transfer_core.errors import RunError, TransferError, newer_schema, storage_error
from transfer_core.files import read_json, write_json
from transfer_core.i18n import _
from transfer_core.places import home, trash_folder
from transfer_core.runs import control, extension
from transfer_core.runs.events import RESERVE, EventWriter, make_reserve
from transfer_core.runs.process import is_alive
from transfer_core.runs.state import RunReader, RunState, read_state
from transfer_core.runs.work import Work

if TYPE_CHECKING:
    from transfer_core.data.project import Project
    from transfer_core.training.settings import RunSettings

__all__ = ["Run", "RunReader", "RunState", "create_run", "find_run", "list_runs", "read_state"]

SCHEMA = 1
FILE = "run.json"
RUNS, AUTOMATIC = (
    "runs",
    "automatic",
)  # the folders of a project in which runs lie: those of the user's, and those made without being asked
_NAME_LENGTH = 200


class Run(Work):
    """A run folder, opened. Raises RunError when it is none or a newer program wrote it."""

    def __init__(self, folder: Path | str):
        self.folder = Path(folder).absolute()
        data = read_json(self.folder / FILE, RunError)
        try:
            if data["schema"] > SCHEMA:
                raise newer_schema(RunError, self.folder / FILE)
            self.id = str(data["id"])
            self.name = str(data["name"])
            self.created = float(data["created"])
            self._project = str(data["project"])
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(
                _("{file} does not describe a run.").format(file=self.folder / FILE), code="broken-run", file=self.folder / FILE
            ) from error

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r})"

    @property
    def project_folder(self) -> Path:
        """The project it belongs to, also after the project as a whole was moved."""
        return Path(os.path.normpath(self.folder / self._project))

    @property
    def automatic(self) -> bool:
        """Whether nobody asked for it: it makes the project's automatic model."""
        return self.folder.parent == self.project_folder / AUTOMATIC

    @property
    def settings(self) -> RunSettings:
        """What it was asked to do; raises SettingsError."""
        from transfer_core.training.settings import RunSettings

        return RunSettings.read(self.folder / "config.toml")

    @property
    def model_folder(self) -> Path:
        """Where its model is, once it has one."""
        return self.folder / "model"

    @property
    def disk_folder(self) -> Path:
        """The project's: its table and its caches grow while a run is at work."""
        return self.project_folder

    def died(self) -> RunError:
        """What is said when its process ended without a word."""
        return RunError(
            _("The run's process ended without a word: it was killed, or the computer went off or ran out of memory."),
            code="died",
            file=self.log_file,
            fix=_("Resume it, nothing that was finished is lost: transfer-studio runs resume {id}").format(id=self.id),
        )

    def reopened(self) -> bool:
        """Whether more epochs are asked of it although it is finished; raises RunError."""
        return extension.asked(self.folder) > 0

    @property
    def planned_epochs(self) -> int:
        """How many epochs it is to train at most, those added later included; 0 for a plan that has none."""
        planned = self.settings.planned_epochs
        return extension.planned(self.folder, planned) if planned else 0

    def rename(self, name: str) -> None:
        """Change the name shown; the folder and the id stay."""
        self.name = _checked_name(name)
        self._write()

    def duplicate(self, changes: dict[str, Any]) -> Run:
        """A new run, queued, with these settings changed; raises SettingsError."""
        settings = type(self.settings).check(self.settings.model_dump() | changes)
        name = None if self.name == default_name(self.settings) else _("{name}, copy").format(name=self.name)[:_NAME_LENGTH]
        return _create(self.project_folder, settings, None, name)

    def delete(self) -> Path:
        """Move the run to our trash and say where it is now; raises RunError while its process lives."""
        if is_alive(self):
            raise RunError(
                _("This run is at work and can't be deleted."), code="run-alive", file=self.folder, fix=_("Stop it first.")
            )
        target = trash_folder() / self.id
        while target.exists():
            target = trash_folder() / f"{self.id}-{secrets.token_hex(2)}"
        try:
            shutil.move(self.folder, target)
            _pointer(self.project_folder, self.id).unlink(missing_ok=True)
        except OSError as error:
            raise storage_error(error, self.folder) from error
        return target

    def _write(self) -> None:
        data = {"schema": SCHEMA, "id": self.id, "name": self.name, "created": self.created, "project": self._project}
        write_json(self.folder / FILE, data)


def create_run(
    project: Project, settings: RunSettings, out: Path | None = None, name: str | None = None, within: str = RUNS
) -> Run:
    """A new run of `project`, queued, in a folder of the project or, if given, in the empty or new folder `out`.

    Raises RunError for an `out` that holds something or lies in the user's pictures, StorageError when the disk refuses.
    """
    if out is not None:
        out = Path(out).expanduser().absolute()
        _check_out(out, [source.folder for source in project.sources])
    return _create(project.folder, settings, out, name, within)


def list_runs(project_folder: Path, within: str = RUNS) -> list[Run]:
    """The runs of a project, newest first, those in folders elsewhere included; broken ones are skipped."""
    runs = {}
    for folder in _run_folders(Path(project_folder) / within):
        try:
            run = Run(folder)
        except TransferError:
            continue
        runs[run.id] = run
    return sorted(runs.values(), key=lambda run: (run.created, run.id), reverse=True)


def find_run(text: str | Path) -> Run:
    """The run that `text` names: a run folder, or an id in any project under `places.home()`; raises RunError."""
    folder = Path(text).expanduser()
    if (folder / FILE).is_file():
        return Run(folder)
    if folder.name == str(text) and home().is_dir():
        for project in sorted(home().iterdir()):
            for candidate in (project / RUNS / folder.name, _pointed(_pointer(project, folder.name))):
                if candidate is not None and (candidate / FILE).is_file():
                    return Run(candidate)
    raise RunError(
        _("There is no run {name}.").format(name=text),
        code="no-such-run",
        file=text,
        fix=_("Give a run's folder or its id: transfer-studio runs list shows them."),
    )


def default_name(settings: RunSettings) -> str:
    """What a run of these settings is called until it is renamed."""
    return f"{settings.backbone}, {settings.plan}"


def _create(project_folder: Path, settings: RunSettings, out: Path | None, name: str | None, within: str = RUNS) -> Run:
    name = default_name(settings) if name is None else _checked_name(name)
    created = time.time()
    identity = f"{time.strftime('%Y%m%d-%H%M%S', time.localtime(created))}-{secrets.token_hex(2)}"
    folder = out or project_folder / within / identity
    ours = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=out is not None)
        (folder / control.FOLDER).mkdir()
        make_reserve(folder)
        settings.write(folder / "config.toml")
        with EventWriter(folder / "events.jsonl") as events:
            events.write("run_queued")
        if out is not None:
            pointer = _pointer(project_folder, identity)
            pointer.parent.mkdir(exist_ok=True)
            write_json(pointer, {"folder": str(out)})
        # The last file makes it a run: what comes to grief before it is never listed as one.
        project = os.path.relpath(project_folder, folder) if out is None else str(project_folder)
        data = {"schema": SCHEMA, "id": identity, "name": name, "created": created, "project": project}
        write_json(folder / FILE, data)
    except (OSError, TransferError) as error:
        _unmake(folder, ours, _pointer(project_folder, identity))
        raise error if isinstance(error, TransferError) else storage_error(error, folder) from error
    return Run(folder)


def _unmake(folder: Path, ours: bool, pointer: Path) -> None:
    pointer.unlink(missing_ok=True)
    if ours:
        shutil.rmtree(folder, ignore_errors=True)
        return
    shutil.rmtree(folder / control.FOLDER, ignore_errors=True)
    for name in (RESERVE, "config.toml", "events.jsonl"):
        (folder / name).unlink(missing_ok=True)


def _check_out(out: Path, sources: list[Path]) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RunError(
            _("{folder} is not empty.").format(folder=out),
            code="out-not-empty",
            file=out,
            fix=_("Choose a folder that is empty or does not exist yet."),
        )
    if any(out.resolve().is_relative_to(source.resolve()) for source in sources):
        raise RunError(
            _("{folder} lies in the folder of your pictures, which is never written into.").format(folder=out),
            code="out-in-data",
            file=out,
            fix=_("Choose a folder elsewhere."),
        )


def _checked_name(name: str) -> str:
    name = name.strip()
    if not name or len(name) > _NAME_LENGTH or re.search(r"[\x00-\x1f\x7f]", name):
        raise RunError(
            _("A run's name needs between 1 and {most} characters, all on one line.").format(most=_NAME_LENGTH), code="bad-name"
        )
    return name


def _run_folders(runs: Path) -> Iterator[Path]:
    if not runs.is_dir():
        return
    for entry in runs.iterdir():
        folder = entry if entry.is_dir() else _pointed(entry) if entry.suffix == ".json" else None
        if folder is not None:
            yield folder


def _pointer(project_folder: Path, identity: str) -> Path:
    """The file in a project that says where a run made with `--out` lies, so that its id is enough to find it."""
    return project_folder / RUNS / f"{identity}.json"


def _pointed(pointer: Path) -> Path | None:
    try:
        return Path(read_json(pointer)["folder"])
    except (TransferError, KeyError, TypeError):
        return None

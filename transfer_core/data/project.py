"""A project: one data set's table, its caches and its runs, in a folder of our own."""

from __future__ import annotations

import os
import re
import shutil
import time
import tomllib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tomlkit

from transfer_core.data.samples import SampleTable
from transfer_core.data.settle import settle_in
from transfer_core.data.split import TEST, VAL, Shares
from transfer_core.errors import DataError, newer_schema, storage_error
from transfer_core.files import write_text
from transfer_core.i18n import _
from transfer_core.places import home, trash_folder

SCHEMA = 1
FILE = "project.toml"
MOST_HELD_OUT = 0.5


@dataclass(frozen=True)
class Source:
    """A folder of the user's pictures; `split` says that all of it belongs to one, such as a separate test folder."""

    folder: Path
    split: str | None = None


@dataclass(frozen=True)
class ProjectSummary:
    """What a list of projects shows."""

    folder: Path
    name: str
    images: int
    classes: int
    sources: list[Path]
    modified: float


class Project:
    """A project folder, opened. What it says is read anew on every opening: the truth is on disk."""

    def __init__(
        self,
        folder: Path,
        name: str,
        sources: Sequence[Source],
        seed: int,
        created: float,
        val: float = VAL,
        test: float = TEST,
    ):
        self.folder = folder
        self.name = name
        self.sources = list(sources)
        self.seed = seed
        self.created = created
        self.val = val
        self.test = test

    @classmethod
    def create(cls, name: str, sources: Sequence[Source | Path], seed: int = 0) -> Project:
        """A new project of this name under `places.home()`; raises StorageError when it can't be written."""
        given = [source if isinstance(source, Source) else Source(source) for source in sources]
        absolute = [Source(_absolute(source.folder), source.split) for source in given]
        folder = _free_folder(home(), name)
        try:
            (folder / "runs").mkdir(parents=True)
        except OSError as error:
            raise storage_error(error, folder) from error
        project = cls(folder, name, absolute, seed, time.time())
        project._write()
        return project

    @classmethod
    def open(cls, folder: Path) -> Project:
        """The project in `folder`; raises DataError when there is none or a newer program wrote it."""
        file = Path(folder) / FILE
        try:
            data = tomllib.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise DataError(
                _("{folder} is not a project.").format(folder=folder),
                code="not-a-project",
                file=folder,
                fix=_("Open a project from the list, or the folder of your pictures."),
            ) from error
        except (OSError, ValueError) as error:
            raise DataError(_("{file} can't be read: {reason}.").format(file=file, reason=error), file=file) from error
        try:
            if data["schema"] > SCHEMA:
                raise newer_schema(DataError, file)
            sources = [Source(Path(entry["folder"]), entry.get("split")) for entry in data.get("sources", [])]
            seed, created = int(data.get("seed", 0)), float(data.get("created", 0.0))
            val, test = float(data.get("val", VAL)), float(data.get("test", TEST))
            name = data["name"]
            if not isinstance(name, str):
                raise TypeError(f"name is {name!r}")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(_("{file} is damaged: {reason}.").format(file=file, reason=error), file=file) from error
        return cls(Path(folder).absolute(), name, sources, seed, created, val, test)

    @classmethod
    def for_source(cls, folder: Path, test: Path | None = None) -> Project:
        """The project of this data folder (and separate test folder), made on first use; a project's folder opens that project."""
        folder = _absolute(folder)
        if os.path.exists(folder / FILE):  # noqa: PTH110 - unlike Path, it doesn't raise for a name too long
            return cls.open(folder)
        wanted = [Source(folder)] + ([Source(_absolute(test), "test")] if test else [])
        for project in _projects():
            if project.sources == wanted:
                return project
        return cls.create(folder.name or _("pictures"), wanted)

    @property
    def table(self) -> SampleTable:
        """The sample table."""
        return SampleTable(self.folder / "samples.sqlite", [source.folder for source in self.sources])

    @property
    def cache(self) -> Path:
        """What may be deleted at any time."""
        return self.folder / "cache"

    def rename(self, name: str) -> None:
        """Change the name shown; the folder keeps its own."""
        self.name = _checked_name(name)
        self._write()

    @property
    def shares(self) -> Shares:
        """How the pictures are divided."""
        return Shares(self.val, self.test, self.seed)

    def divide(self, shares: Shares) -> None:
        """Divide the pictures anew by these shares and this seed; what folders and moves say stays.

        Raises DataError for shares that won't do.
        """
        if not (0 <= shares.val <= MOST_HELD_OUT and 0 <= shares.test <= MOST_HELD_OUT):
            raise DataError(
                _("Between 0 and {most} % of the pictures can be held out for each purpose.").format(
                    most=int(100 * MOST_HELD_OUT)
                ),
                code="bad-shares",
            )
        self.val, self.test, self.seed = shares.val, shares.test, shares.seed
        self._write()
        with self.table.change() as connection:
            connection.execute("UPDATE samples SET drawn = NULL")
            settle_in(connection, self.shares)

    def duplicate(self, name: str) -> Project:
        """A new project over the same folders with the same table, without runs and caches."""
        copy = Project.create(_checked_name(name), self.sources, self.seed)
        with self.table.connect() as connection, copy.table.connect() as target:
            connection.commit()
            target.commit()
            connection.backup(target)
        return copy

    def delete(self) -> Path:
        """Move the project to our trash and say where it is now. The user's pictures stay where they are."""
        target = _free_folder(trash_folder(), self.folder.name)
        try:
            shutil.move(self.folder, target)
        except OSError as error:
            raise storage_error(error, self.folder) from error
        return target

    def missing_sources(self) -> list[Path]:
        """The source folders that are not where they were."""
        return [source.folder for source in self.sources if not source.folder.is_dir()]

    def find_moved(self, old: Path) -> Path | None:
        """A folder near `old`'s place that holds the same files, or None: it is offered, never taken unasked."""
        number = [source.folder for source in self.sources].index(old)
        samples = [sample for sample in self.table.samples(limit=2000) if sample.source == number]
        # A few from all over the set, by name and size: cameras give the same names again and again.
        known = {sample.relative: sample.size for sample in samples[:: max(1, len(samples) // 20)]}
        parents = [parent for parent in (old.parent, old.parent.parent, Path.home()) if parent.is_dir()]
        for parent in dict.fromkeys(parents):
            for candidate in _folders_in(parent):
                for folder in (candidate, candidate / old.name):
                    if known and all(_size(folder / relative) == size for relative, size in known.items()):
                        return folder
        return None

    def move_source(self, old: Path, new: Path) -> None:
        """Say that source folder `old` is at `new` now; raises DataError when `new` is not a folder."""
        if not Path(new).is_dir():
            raise DataError(_("{folder} is not a folder.").format(folder=new), code="not-a-folder", file=new)
        new = _absolute(new)
        self.sources = [Source(new, source.split) if source.folder == old else source for source in self.sources]
        self._write()

    def _write(self) -> None:
        document = tomlkit.document()
        document.add("schema", SCHEMA)
        document.add("name", self.name)
        document.add("seed", self.seed)
        document.add("created", self.created)
        document.add("val", self.val)
        document.add("test", self.test)
        sources = tomlkit.aot()
        for source in self.sources:
            table = tomlkit.table()
            table.add("folder", str(source.folder))
            if source.split:
                table.add("split", source.split)
            sources.append(table)
        document.add("sources", sources)
        write_text(self.folder / FILE, tomlkit.dumps(document))


def list_projects() -> list[ProjectSummary]:
    """The projects under `places.home()`, the last used first; broken ones are skipped."""
    summaries = []
    for project in _projects():
        try:
            classes = project.table.classes()
            modified = max(path.stat().st_mtime for path in (project.folder / FILE, project.folder / "runs") if path.exists())
        except (DataError, OSError):
            continue
        images = sum(count.total for count in classes)
        folders = [source.folder for source in project.sources]
        summaries.append(ProjectSummary(project.folder, project.name, images, len(classes), folders, modified))
    return sorted(summaries, key=lambda summary: -summary.modified)


def recent_folders(limit: int = 8) -> list[Path]:
    """The data folders of recent projects that are still there; folders of our own are not among them."""
    folders = [folder for summary in list_projects() for folder in summary.sources]
    return [folder for folder in dict.fromkeys(folders) if folder.is_dir() and not folder.is_relative_to(home())][:limit]


def _projects() -> list[Project]:
    if not home().is_dir():
        return []
    projects = []
    for file in home().glob(f"*/{FILE}"):
        try:
            projects.append(Project.open(file.parent))
        except DataError:
            continue
    return projects


def _absolute(folder: Path) -> Path:
    """The one way this folder is written down, so that it is recognised; raises DataError when its name is not text."""
    absolute = Path(os.path.expanduser(folder)).absolute()  # noqa: PTH111 - unlike Path, it leaves a ~name it doesn't know
    if ".." in absolute.parts:
        absolute = absolute.resolve()
    try:
        str(absolute).encode()
    except UnicodeEncodeError as error:
        raise DataError(
            _("The name of the folder {folder} is not valid text.").format(folder=absolute),
            code="bad-name",
            file=absolute,
            fix=_("Rename the folder."),
        ) from error
    return absolute


def _folders_in(parent: Path) -> list[Path]:
    try:
        return sorted(folder for folder in parent.iterdir() if folder.is_dir())
    except OSError:  # not ours to look into
        return []


def _size(file: Path) -> int | None:
    try:
        return file.stat().st_size
    except OSError:
        return None


def _checked_name(name: str) -> str:
    name = name.strip()
    if not name or len(name) > 200:
        raise DataError(_("A name needs between 1 and 200 characters."), code="bad-name")
    return name


def _free_folder(parent: Path, name: str) -> Path:
    """A folder in `parent` that does not exist yet, named after `name` in characters that every system takes."""
    plain = re.sub(r"[^\w\-. ]", "_", unicodedata.normalize("NFC", name)).strip(" ._")[:60] or "project"
    folder, number = parent / plain, 2
    while folder.exists():
        folder, number = parent / f"{plain} {number}", number + 1
    return folder

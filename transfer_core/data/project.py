"""A project: one data set's table, its caches and its runs, in a folder of our own."""

from __future__ import annotations

import os
import re
import shutil
import time
import tomllib
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tomlkit
from filelock import FileLock

from transfer_core.data import archives, tables
from transfer_core.data.reading import Reading, Source
from transfer_core.data.samples import SampleTable
from transfer_core.data.settle import settle_in
from transfer_core.data.sources import is_there
from transfer_core.data.split import TEST, VAL, Shares
from transfer_core.errors import DataError, TransferError, newer_schema, storage_error
from transfer_core.files import write_text
from transfer_core.i18n import _
from transfer_core.places import home, trash_folder

SCHEMA = 1
FILE = "project.toml"
MOST_HELD_OUT = 0.5


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
        absolute = [replace(source, folder=_absolute(source.folder)) for source in given]
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
            sources = [_source(entry, Path(folder).absolute()) for entry in data.get("sources", [])]
            seed, created = int(data.get("seed", 0)), float(data.get("created", 0.0))
            val, test = float(data.get("val", VAL)), float(data.get("test", TEST))
            name = data["name"]
            if not isinstance(name, str):
                raise TypeError(f"name is {name!r}")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(_("{file} is damaged: {reason}.").format(file=file, reason=error), file=file) from error
        return cls(Path(folder).absolute(), name, sources, seed, created, val, test)

    @classmethod
    def for_source(cls, data: Path, test: Path | None = None, reading: Reading | None = None) -> Project:
        """The project of this folder, archive or table (and separate test folder), made on first use; a project's folder opens that one.

        Without a `reading` a new project gets the likeliest one (see `guess`), and one that is there keeps its own. Raises DataError for
        what is no such place, or a table whose columns can't be told. An archive is not unpacked yet: the scan does that.
        """
        data, test = _absolute(data), _absolute(test) if test else None
        project = cls.known(data, test, reading)
        if project is not None:
            return project
        project = cls.create(_name_for(data), [])
        try:
            project.sources = [project.source_of(data, reading)]
            if test is not None:
                project.sources.append(project.source_of(test, reading, "test"))
            project._write()
        except Exception:
            shutil.rmtree(project.folder, ignore_errors=True)
            raise
        return project

    @classmethod
    def known(cls, data: Path, test: Path | None = None, reading: Reading | None = None) -> Project | None:
        """The project that was made of this place, also when sources were added to it since, or that lies in it; else None."""
        data = _absolute(data)
        if os.path.exists(data / FILE):  # noqa: PTH110 - unlike Path, it doesn't raise for a name too long
            return cls.open(data)
        made = [project for project in _projects() if project.sources and project._began_with(data, reading)]
        for project in made:
            others = project.sources[1:]
            if test is not None and [(other.folder, other.split) for other in others[:1]] == [(_absolute(test), "test")]:
                return project
            if test is None and not others:
                return project
        grown = (project for project in made if test is None and not any(other.split for other in project.sources))
        return next(grown, None)

    def _began_with(self, data: Path, reading: Reading | None) -> bool:
        first = self.sources[0]
        known = first.reading
        if data not in (first.place, first.archive or first.folder) or first.split is not None:
            return False
        if reading is None or known == reading:
            return True
        # Of a table that was opened itself, only the columns are chosen: where its files lie is found out.
        return tables.is_table(data) and (reading.columns, reading.group) == (known.columns, known.group)

    def source_of(self, place: Path, reading: Reading | None = None, split: str | None = None) -> Source:
        """What `place`, a folder, an archive or a table, is as a source of this project; without a `reading`, by the likeliest.

        Raises DataError for a table whose columns can't be told, and an archive that is broken or hostile.
        """
        from transfer_core.data.guess import guess, source_at  # here: they load NumPy, which the home page does without

        place = _absolute(place)
        if not archives.is_archive(place) or place.is_dir():
            return source_at(place, reading, split)
        folder = _free_folder(self.folder / "imports", archives.title(place), {source.folder for source in self.sources})
        return Source(folder, split, reading or guess(place).best, place)

    def add_source(self, source: Source) -> None:
        """Take more pictures into this project; only what is new is computed. Raises DataError when they are in it already."""
        source = replace(source, folder=_absolute(source.folder))
        with self._changed():
            same = {(known.archive or known.folder, known.reading.table, known.reading.pattern) for known in self.sources}
            if (source.archive or source.folder, source.reading.table, source.reading.pattern) in same:
                raise DataError(
                    _("{folder} is in this project already.").format(folder=source.archive or source.folder),
                    code="already-there",
                    file=source.archive or source.folder,
                    fix=_("For pictures that came into it since, look for new pictures on the Data page."),
                )
            self.sources.append(source)

    def read_as(self, folder: Path, reading: Reading) -> None:
        """Tell the classes of the source in `folder` by `reading`, from the next scan on."""
        with self._changed():
            self.sources = [replace(source, reading=reading) if source.folder == folder else source for source in self.sources]

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
        name = _checked_name(name)
        with self._changed():
            self.name = name

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
        with self._changed():
            self.val, self.test, self.seed = shares.val, shares.test, shares.seed
        with self.table.change() as connection:
            connection.execute("UPDATE samples SET drawn = NULL")
            settle_in(connection, self.shares)

    def duplicate(self, name: str) -> Project:
        """A new project over the same folders with the same table, without runs and caches.

        What came by upload or out of an archive lies in the project itself, and in its copy once more: as links where the disk has them.
        """
        copy = Project.create(_checked_name(name), [], self.seed)

        def moved(path: Path) -> Path:
            return copy.folder / path.relative_to(self.folder) if path.is_relative_to(self.folder) else path

        try:
            for own in self._own_folders():
                shutil.copytree(self.folder / own, copy.folder / own, copy_function=_linked)
        except OSError as error:
            shutil.rmtree(copy.folder, ignore_errors=True)
            raise storage_error(error, copy.folder) from error
        copy.val, copy.test = self.val, self.test
        copy.sources = [
            replace(source, folder=moved(source.folder), archive=source.archive and moved(source.archive))
            for source in self.sources
        ]
        copy._write()
        with self.table.connect() as connection, copy.table.connect() as target:
            connection.commit()
            target.commit()
            connection.backup(target)
        return copy

    def _own_folders(self) -> list[str]:
        """The folders of the project that pictures of its sources lie in."""
        places = [place for source in self.sources for place in (source.folder, source.archive) if place is not None]
        names = {place.relative_to(self.folder).parts[0] for place in places if place.is_relative_to(self.folder)}
        return sorted(name for name in names if (self.folder / name).is_dir())

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
        return [source.folder for source in self.sources if not is_there(source)]

    def find_moved(self, old: Path) -> Path | None:
        """A folder near `old`'s place that holds the same files, or None: it is offered, never taken unasked."""
        number = [source.folder for source in self.sources].index(old)
        # By name and size: cameras give the same names again and again.
        known = self.table.some_sizes(number)
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
        with self._changed():
            self.sources = [replace(source, folder=new) if source.folder == old else source for source in self.sources]

    @contextmanager
    def _changed(self) -> Iterator[None]:
        """What is on disk now, to be changed and written again: another page may have changed it since this project was opened."""
        with ExitStack() as held:
            try:
                self.cache.mkdir(exist_ok=True)
                held.enter_context(FileLock(self.cache / ".project.lock"))
            except OSError as error:
                raise storage_error(error, self.folder / FILE) from error
            self.__dict__ |= vars(Project.open(self.folder))
            yield
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
            sources.append(_written(source, self.folder))
        document.add("sources", sources)
        write_text(self.folder / FILE, tomlkit.dumps(document))


def list_projects() -> list[ProjectSummary]:
    """The projects under `places.home()`, the last used first; broken ones are skipped."""
    summaries = []
    for project in _projects():
        try:
            classes = project.table.classes()
            modified = max(path.stat().st_mtime for path in (project.folder / FILE, project.folder / "runs") if path.exists())
        except (TransferError, OSError):
            continue
        images = sum(count.total for count in classes)
        places = [source.place for source in project.sources]
        summaries.append(ProjectSummary(project.folder, project.name, images, len(classes), places, modified))
    return sorted(summaries, key=lambda summary: -summary.modified)


def recent_folders(limit: int = 8) -> list[Path]:
    """The folders, archives and tables of recent projects that are still there; what lies in folders of our own is not among them."""
    places = [place for summary in list_projects() for place in summary.sources]
    return [place for place in dict.fromkeys(places) if place.exists() and not place.is_relative_to(home())][:limit]


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


def _written(source: Source, project: Path) -> Any:
    """A source as TOML. Folders in the project are written relative to it, so that it can be moved as a whole."""
    table = tomlkit.table()
    folder = source.folder.relative_to(project) if source.folder.is_relative_to(project) else source.folder
    table.add("folder", folder.as_posix() if folder is not source.folder else str(folder))
    if source.split:
        table.add("split", source.split)
    if source.archive is not None:
        table.add("archive", str(source.archive))
    for name, value in source.reading.as_data().items():
        table.add(name, value)
    return table


def _source(entry: dict[str, Any], project: Path) -> Source:
    """The source that `_written` wrote; raises KeyError, TypeError or ValueError for what is none."""
    archive = Path(entry["archive"]) if "archive" in entry else None
    return Source(project / entry["folder"], entry.get("split"), Reading.from_data(entry), archive)


def _name_for(data: Path) -> str:
    """What the project of a place is called: as its folder, or its archive without the ending."""
    if tables.is_table(data):
        return data.parent.name or data.stem
    return archives.title(data) or _("pictures")


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


def _linked(file: str, target: str) -> None:
    """The same file under another name, or a copy where the disk has no such links: what lies in a project is never written into."""
    try:
        os.link(file, target)
    except OSError:
        shutil.copy2(file, target)


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


def _free_folder(parent: Path, name: str, taken: Collection[Path] = ()) -> Path:
    """A folder in `parent` that does not exist yet nor is `taken`, named after `name` in characters that every system takes."""
    plain = re.sub(r"[^\w\-. ]", "_", unicodedata.normalize("NFC", name)).strip(" ._")[:60] or "project"
    folder, number = parent / plain, 2
    while folder.exists() or folder in taken:
        folder, number = parent / f"{plain} {number}", number + 1
    return folder

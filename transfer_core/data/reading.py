"""Where a project's pictures come from, and how their classes are told: by folders, file names or a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

Kind = Literal["folders", "names", "table", "class"]
Depth = int | Literal["innermost", "joined"]

KINDS: tuple[Kind, ...] = ("folders", "names", "table", "class")
DEEPEST = 16  # folders below the first; a class further down is nobody's intention


@dataclass(frozen=True)
class Columns:
    """Which columns of a table say what, by their titles; without titles, by their numbers from 1 as text."""

    file: str
    label: str
    split: str | None = None
    group: str | None = None
    titles: bool = True


@dataclass(frozen=True)
class Reading:
    """How the classes of a folder's pictures are told.

    `folders`: the folder at `depth` (1 is the first one) is the class, or the `innermost` one, or all of them `joined`. `names`: the file
    names, by `pattern` (see `names`). `table`: a CSV or TSV file, a path relative to the folder, or absolute, and its columns. `class`: all
    pictures are of `label`. `group` is a pattern for file names whose `{group}` must never be parted by a split, such as a patient.
    """

    kind: Kind = "folders"
    depth: Depth = 1
    pattern: str | None = None
    table: str | None = None
    columns: Columns | None = None
    label: str | None = None
    group: str | None = None

    def __post_init__(self) -> None:
        right = self.kind in KINDS and (
            self.depth in ("innermost", "joined") or (type(self.depth) is int and 1 <= self.depth <= DEEPEST)
        )
        needs = {"names": self.pattern, "table": self.table and self.columns, "class": self.label}
        if not right or (self.kind in needs and not needs[self.kind]):
            raise ValueError(f"no way to tell classes: {self}")

    def as_data(self) -> dict[str, Any]:
        """What differs from the usual, as plain keys for project.toml."""
        usual = {field.name: field.default for field in fields(self)}
        data = {name: value for name, value in asdict(self).items() if value != usual[name]}
        if self.columns is not None:
            data["columns"] = {name: value for name, value in asdict(self.columns).items() if value is not None}
        return data

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Reading:
        """The reading that `as_data` wrote down; keys of others are ignored. Raises ValueError or TypeError for what is none."""
        values = {field.name: data[field.name] for field in fields(cls) if field.name in data}
        if not all(isinstance(values.get(name, ""), str) for name in ("pattern", "table", "label", "group")):
            raise TypeError("pattern, table, label and group are text")
        if "columns" in values:
            values["columns"] = Columns(**values["columns"])
        return cls(**values)


@dataclass(frozen=True)
class Source:
    """A folder of pictures; `split` says that all of it belongs to one, such as a separate test folder.

    With an `archive`, `folder` is one of ours, where the archive is unpacked when it is not there (yet).
    """

    folder: Path
    split: str | None = None
    reading: Reading = Reading()
    archive: Path | None = None

    @property
    def place(self) -> Path:
        """What somebody opened: the archive, the table, or the folder itself."""
        if self.archive is not None:
            return self.archive
        return self.folder / self.reading.table if self.reading.kind == "table" and self.reading.table else self.folder

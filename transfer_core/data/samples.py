"""The sample table: one row a picture, in SQLite, opened by the page server and the workers alike."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transfer_core.errors import DataError, StorageError
from transfer_core.i18n import _

SCHEMA = 1
SPLITS = ("train", "val", "test")

_TABLES = """
CREATE TABLE IF NOT EXISTS samples (
  id INTEGER PRIMARY KEY,
  source INTEGER NOT NULL,
  relative TEXT NOT NULL,
  label TEXT,
  given_split TEXT,
  split TEXT,
  content TEXT,
  size INTEGER NOT NULL,
  mtime_ns INTEGER NOT NULL,
  width INTEGER,
  height INTEGER,
  format TEXT,
  state TEXT NOT NULL CHECK (state IN ('in', 'out')),
  reason TEXT,
  UNIQUE (source, relative)
);
CREATE INDEX IF NOT EXISTS samples_by_class ON samples (state, label, split);
CREATE INDEX IF NOT EXISTS samples_by_content ON samples (content);
"""


@dataclass(frozen=True)
class Sample:
    """One picture. `group` is its content: exact duplicates share it and are never parted by a split."""

    id: int
    source: int
    path: Path
    relative: str
    label: str | None
    given_split: str | None
    split: str | None
    content: str
    size: int
    mtime_ns: int
    width: int | None
    height: int | None
    format: str | None
    state: str
    reason: str | None

    @property
    def group(self) -> str:
        """Samples of one group stand on one side of every split."""
        return self.content


@dataclass(frozen=True)
class ClassCount:
    """How many pictures of a class are in use, by split, and how many were left out."""

    label: str
    train: int
    val: int
    test: int
    total: int
    left_out: int


class SampleTable:
    """`samples.sqlite` of a project. `roots[i]` is the folder of source `i`."""

    def __init__(self, file: Path, roots: Sequence[Path]):
        self.file = file
        self.roots = list(roots)

    @contextmanager
    def connect(self) -> Iterator[sqlite3.Connection]:
        """A connection in a transaction: committed at the end, rolled back on an error."""
        try:
            connection = sqlite3.connect(self.file, timeout=30)
        except sqlite3.Error as error:
            raise self._error(error) from error
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            # With a write-ahead log this can't damage the table; a power cut may at most take back the last commits.
            connection.execute("PRAGMA synchronous=NORMAL")
            if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
                connection.executescript(_TABLES + f"PRAGMA user_version={SCHEMA};")
            with connection:
                yield connection
        except sqlite3.Error as error:
            raise self._error(error) from error
        finally:
            connection.close()

    def _error(self, error: sqlite3.Error) -> DataError | StorageError:
        if "full" in str(error):
            return StorageError(
                _("There is no space left to write {file}.").format(file=self.file),
                code="disk-full",
                file=self.file,
                fix=_("Free some space on this disk, then try again."),
            )
        return DataError(
            _("The table of pictures {file} can't be used: {reason}.").format(file=self.file, reason=error),
            file=self.file,
            fix=_("Check the disk; if the file is damaged, open the pictures' folder as a new project."),
        )

    def samples(
        self,
        label: str | None = None,
        split: str | None = None,
        state: str | None = "in",
        offset: int = 0,
        limit: int | None = None,
    ) -> list[Sample]:
        """Samples in a fixed order, `limit` of them from `offset`; None means any."""
        where, values = _where(label=label, split=split, state=state)
        query = f"SELECT * FROM samples{where} ORDER BY label, source, relative LIMIT ? OFFSET ?"
        with self.connect() as connection:
            connection.row_factory = sqlite3.Row
            return [self._sample(row) for row in connection.execute(query, (*values, -1 if limit is None else limit, offset))]

    def count(self, label: str | None = None, split: str | None = None, state: str | None = "in") -> int:
        """How many samples there are of this kind; None means any."""
        where, values = _where(label=label, split=split, state=state)
        with self.connect() as connection:
            return int(connection.execute(f"SELECT count(*) FROM samples{where}", values).fetchone()[0])

    def classes(self) -> list[ClassCount]:
        """The classes in use, by name, with their counts."""
        query = """
            SELECT label, sum(state = 'in' AND split = 'train'), sum(state = 'in' AND split = 'val'),
                   sum(state = 'in' AND split = 'test'), sum(state = 'in'), sum(state = 'out')
            FROM samples WHERE label IS NOT NULL GROUP BY label ORDER BY label
        """
        with self.connect() as connection:
            counts = [ClassCount(row[0], *(value or 0 for value in row[1:])) for row in connection.execute(query)]
        return [count for count in counts if count.total]

    def fingerprint(self) -> str:
        """A digest of which pictures are in use, with their classes and splits: another one when any of that changes."""
        query = "SELECT content, label, split FROM samples WHERE state = 'in' ORDER BY content, label, split"
        digest = hashlib.sha256()
        with self.connect() as connection:
            for row in connection.execute(query):
                digest.update(repr(row).encode())
        return digest.hexdigest()

    def left_out(self, offset: int = 0, limit: int | None = None) -> list[Sample]:
        """The files that are not used, each with its reason."""
        return self.samples(state="out", offset=offset, limit=limit)

    def leave_out(self, ids: Iterable[int], reason: str) -> None:
        """Take samples out of use, saying why."""
        with self.connect() as connection:
            connection.executemany("UPDATE samples SET state = 'out', reason = ? WHERE id = ?", [(reason, id) for id in ids])

    def replace(self, rows: Iterable[dict[str, Any]], gone: Iterable[int] = ()) -> None:
        """Write rows by (source, relative), keeping the split of those that are there; drop those that are gone."""
        # The split is not among them: it is kept.
        columns = ["source", "relative", "label", "given_split", "content", "size", "mtime_ns"]
        columns += ["width", "height", "format", "state", "reason"]
        updates = ", ".join(f"{name} = excluded.{name}" for name in columns[2:])
        statement = (
            f"INSERT INTO samples ({', '.join(columns)}) VALUES ({', '.join(':' + name for name in columns)}) "
            f"ON CONFLICT (source, relative) DO UPDATE SET {updates}"
        )
        with self.connect() as connection:
            connection.executemany(statement, rows)
            connection.executemany("DELETE FROM samples WHERE id = ?", [(id,) for id in gone])

    def set_splits(self, splits: dict[int, str | None]) -> None:
        """Write the split of each sample id."""
        with self.connect() as connection:
            connection.executemany("UPDATE samples SET split = ? WHERE id = ?", [(split, id) for id, split in splits.items()])

    def _sample(self, row: sqlite3.Row) -> Sample:
        values = dict(row)
        root = self.roots[values["source"]] if values["source"] < len(self.roots) else Path()
        return Sample(path=root / values["relative"], **(values | {"content": values["content"] or ""}))


def _where(**equal: str | None) -> tuple[str, tuple[str, ...]]:
    asked = {name: value for name, value in equal.items() if value is not None}
    clause = " AND ".join(f"{name} = ?" for name in asked)
    return (f" WHERE {clause}" if clause else ""), tuple(asked.values())

"""The sample table: one row a picture, in SQLite, opened by the page server and the workers alike."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, NamedTuple

from transfer_core.data.table_schema import prepare
from transfer_core.errors import DataError, ImageError, StorageError
from transfer_core.i18n import _

SPLITS = ("train", "val", "test")
State = Literal["in", "excluded", "out"]

# What a scan writes of a file; all else is kept when a file is read anew.
FACTS = (
    "source", "relative", "given_label", "given_split", "given_group", "content", "size", "mtime_ns", "width", "height", "format",
    "mode", "orientation", "animated", "taken", "problem",
)  # fmt: skip


WRITING_KB = 32_768
UNREACHED = ("missing", "unreadable")  # the codes of what is wrong with the way to a picture, and not with itself


@dataclass(frozen=True, slots=True)
class Sample:
    """One picture, the file `relative` to its source's folder `root`.

    `given_label`, `given_split` and `given_group` are what its source says of it; `label` and `split` are what is used, after edits
    and the division, `pinned` the split that the user moved it to. Samples of one `group` are never parted by a split; those of one
    `copies` show the same picture, to the byte or nearly. `state` is "in" (used), "excluded" (by the user) or "out" (it can't be used),
    and `reason` says why. `mode`, `orientation` and `taken` are as in `images.decode.Header`.
    """

    id: int
    source: int
    root: Path
    relative: str
    label: str | None
    split: str | None
    state: str
    reason: str | None
    given_label: str | None
    given_split: str | None
    given_group: str | None
    pinned: str | None
    content: str
    copies: str
    group: str
    size: int
    mtime_ns: int
    width: int | None
    height: int | None
    format: str | None
    mode: str | None
    orientation: int | None
    animated: bool
    taken: str | None

    @property
    def path(self) -> Path:
        """Where its file is: made when it is asked for, because a path takes as much memory as all the rest of a sample."""
        return self.root / self.relative


class Shot(NamedTuple):
    """A picture as it was taken, in few bytes: 0.4 KB."""

    content: str
    source: int
    relative: str
    width: int | None
    height: int | None
    taken: str | None


@dataclass(frozen=True)
class ClassCount:
    """How many pictures of a class are in use, by split, how many can't be used, and how many the user excluded."""

    label: str
    train: int
    val: int
    test: int
    total: int
    left_out: int
    excluded: int = 0


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
            prepare(connection, self.file)
            with connection:
                yield connection
        except sqlite3.Error as error:
            raise self._error(error) from error
        finally:
            connection.close()

    @contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """A connection in a transaction that nobody else writes beside: for what reads first and then writes."""
        with self.connect() as connection:
            # Without it, a transaction that began by reading is refused at its first write once somebody else has written.
            connection.execute("BEGIN IMMEDIATE")
            # Of the indexes, many pages are changed at once and in no order: kept until the end, each is written once.
            connection.execute(f"PRAGMA cache_size=-{WRITING_KB}")
            yield connection

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
        state: State | None = "in",
        search: str = "",
        ids: Iterable[int] | None = None,
        offset: int = 0,
        limit: int | None = None,
    ) -> list[Sample]:
        """Samples in a fixed order, `limit` of them from `offset`; None means any. `search` is a part of the file's name or folder."""
        with self.connect() as connection:
            connection.row_factory = sqlite3.Row
            where, values = _where(connection, ids, search, label=label, split=split, state=state)
            query = f"SELECT * FROM samples{where} ORDER BY label, source, relative LIMIT ? OFFSET ?"
            return [self._sample(row) for row in connection.execute(query, (*values, -1 if limit is None else limit, offset))]

    def count(
        self,
        label: str | None = None,
        split: str | None = None,
        state: State | None = "in",
        search: str = "",
        ids: Iterable[int] | None = None,
    ) -> int:
        """How many samples there are of this kind; None means any."""
        with self.connect() as connection:
            where, values = _where(connection, ids, search, label=label, split=split, state=state)
            return int(connection.execute(f"SELECT count(*) FROM samples{where}", values).fetchone()[0])

    @contextmanager
    def still(self) -> Iterator[tuple[list[str], Iterator[Sample]]]:
        """The classes in use, and the samples of them in a fixed order: as they are now, whatever is edited meanwhile."""
        with self.connect() as connection:
            connection.execute("BEGIN")
            labels = [
                row[0] for row in connection.execute("SELECT DISTINCT label FROM samples WHERE state = 'in' ORDER BY label")
            ]
            connection.row_factory = sqlite3.Row
            query = "SELECT * FROM samples WHERE state = 'in' ORDER BY label, source, relative"
            yield labels, (self._sample(row) for row in connection.execute(query))

    def usable(self) -> list[tuple[int, str, str]]:
        """Id, content and class of every picture that can be used, excluded ones too: for what looks at all of them at once."""
        # Nearly all of the table: read from end to end, that is quicker than by an index.
        query = "SELECT id, content, label FROM samples NOT INDEXED WHERE state IN ('in', 'excluded')"
        with self.connect() as connection:
            return connection.execute(query).fetchall()

    def of_contents(self, contents: Sequence[str]) -> list[tuple[int, str, str, str]]:
        """Id, content, class and relative path of the pictures in use that have these contents."""
        query = """
            SELECT id, content, label, relative FROM samples
            WHERE content IN (SELECT value FROM json_each(?)) AND state = 'in'
        """
        with self.connect() as connection:
            return connection.execute(query, (json.dumps(list(contents)),)).fetchall()

    def extent(self) -> tuple[int, int]:
        """How many files there are and the newest one's id: other numbers after files came or went, the same after an edit."""
        with self.connect() as connection:
            found = connection.execute("SELECT count(*), ifnull(max(id), 0) FROM samples").fetchone()
            return int(found[0]), int(found[1])

    def examples(self, labels: Sequence[str], each: int) -> dict[str, list[Sample]]:
        """A few pictures in use of every class, `each` of them where there are so many: from all over it, and always the same."""
        query = """
            SELECT * FROM samples WHERE id IN (
              SELECT id FROM (
                SELECT id, row_number() OVER (PARTITION BY label ORDER BY content, id) AS place
                FROM samples WHERE state = 'in' AND label IN (SELECT value FROM json_each(?1))
              ) WHERE place <= ?2
            ) ORDER BY label, content, id
        """
        found: dict[str, list[Sample]] = {label: [] for label in labels}
        with self.connect() as connection:
            connection.row_factory = sqlite3.Row
            for row in connection.execute(query, (json.dumps(list(labels)), each)):
                found[row["label"]].append(self._sample(row))
        return found

    def classes(self) -> list[ClassCount]:
        """The classes in use, by name, with their counts."""
        # In the order of an index that holds all of it: a sixth of the time that sums over conditions take.
        query = "SELECT label, state, split, count(*) FROM samples WHERE label IS NOT NULL GROUP BY label, state, split"
        found: dict[str, Counter[str]] = {}
        with self.connect() as connection:
            for label, state, split, count in connection.execute(query):
                counts = found.setdefault(label, Counter())
                counts[state] += count
                if state == "in" and split:
                    counts[split] += count
        return [
            ClassCount(label, counts["train"], counts["val"], counts["test"], counts["in"], counts["out"], counts["excluded"])
            for label, counts in sorted(found.items())
            if counts["in"]
        ]

    def fingerprint(self) -> str:
        """A digest of which pictures are in use, with their classes and splits: another one when any of that changes."""
        query = "SELECT content, label, split FROM samples WHERE state = 'in' ORDER BY content, label, split"
        digest = hashlib.sha256()
        with self.connect() as connection:
            for row in connection.execute(query):
                digest.update(repr(row).encode())
        return digest.hexdigest()

    def left_out(self, offset: int = 0, limit: int | None = None) -> list[Sample]:
        """The files that can't be used, each with its reason."""
        return self.samples(state="out", offset=offset, limit=limit)

    def shots(self) -> list[Shot]:
        """Of all files that can be read as far as is known, in use or not, what is needed to compare them."""
        query = (
            "SELECT content, source, relative, width, height, taken FROM samples WHERE problem IS NULL ORDER BY source, relative"
        )
        with self.connect() as connection:
            return [Shot(*row) for row in connection.execute(query)]

    def path(self, shot: Shot) -> Path:
        """Where its file is."""
        return self.roots[shot.source] / shot.relative

    def known(self) -> dict[tuple[int, str], tuple[int, int, int, str | None, str | None, str | None]]:
        """What a scan compares files with: `(id, size, mtime_ns, label, split, group)` as given, by source and relative path."""
        query = "SELECT source, relative, id, size, mtime_ns, given_label, given_split, given_group FROM samples"
        with self.connect() as connection:
            return {(row[0], row[1]): row[2:] for row in connection.execute(query)}

    def replace(self, rows: Iterable[dict[str, Any]], gone: Iterable[int] = ()) -> None:
        """Write `FACTS` by (source, relative), keeping all else of those that are there; drop those that are gone."""
        updates = ", ".join(f"{name} = excluded.{name}" for name in FACTS[2:])
        # A new one begins as it is where no edit and no pair say anything of it: then that is not written twice.
        statement = (
            f"INSERT INTO samples ({', '.join(FACTS)}, label, copies, grouping) "
            f"VALUES ({', '.join(':' + name for name in FACTS)}, :given_label, :content, :content) "
            f"ON CONFLICT (source, relative) DO UPDATE SET {updates}"
        )
        with self.change() as connection:
            connection.executemany(statement, rows)
            connection.execute("INSERT OR IGNORE INTO marks VALUES ('unsettled')")
            connection.executemany("DELETE FROM samples WHERE id = ?", [(id,) for id in gone])

    def knows_source(self, number: int) -> bool:
        """Whether files of the project's source of this number were looked at before."""
        with self.connect() as connection:
            return bool(connection.execute("SELECT EXISTS(SELECT 1 FROM samples WHERE source = ?)", (number,)).fetchone()[0])

    def some_sizes(self, number: int, most: int = 20) -> dict[str, int]:
        """The sizes in bytes of a few pictures from all over the project's source of this number, by relative path."""
        query = "SELECT relative, size FROM samples WHERE source = ? AND state = 'in' ORDER BY content LIMIT ?"
        with self.connect() as connection:
            return dict(connection.execute(query, (number, most)).fetchall())

    def settled(self) -> bool:
        """Whether states and splits follow from all that was written."""
        with self.connect() as connection:
            return connection.execute("SELECT 1 FROM marks WHERE name = 'unsettled'").fetchone() is None

    def mark_broken(self, problems: Iterable[tuple[str, ImageError]]) -> None:
        """Say of pictures, by content, that they turned out not to be readable, and why.

        Those that only could not be reached, such as on a disk that was pulled out, are tried again at the next scan.
        """
        query = """
            UPDATE samples SET problem = ?2, state = 'out', reason = ?2, mtime_ns = CASE WHEN ?3 THEN 0 ELSE mtime_ns END
            WHERE content = ?1
        """
        with self.connect() as connection:
            rows = [(content, error.message, error.code in UNREACHED) for content, error in problems]
            connection.executemany(query, rows)

    def _sample(self, row: sqlite3.Row) -> Sample:
        values = {name: row[name] for name in _ROW}
        for name in _SHARED:
            if values[name] is not None:
                values[name] = sys.intern(values[name])
        content = values["content"] = values["content"] or ""
        # Nearly always one text, which is then kept once: all samples of a large set are held at once.
        values["copies"] = content if values["copies"] in (None, "", content) else values["copies"]
        group = row["grouping"] or values["copies"]
        root = self.roots[row["source"]] if row["source"] < len(self.roots) else Path()
        return Sample(root=root, group=content if group == content else group, animated=bool(row["animated"]), **values)


_ROW = tuple(each.name for each in fields(Sample) if each.name not in ("root", "group", "animated"))
_SHARED = ("label", "split", "state", "given_label", "given_split", "pinned", "format", "mode")  # texts that many samples have


def _where(
    connection: sqlite3.Connection, ids: Iterable[int] | None, search: str, **equal: str | None
) -> tuple[str, tuple[str, ...]]:
    asked = {name: value for name, value in equal.items() if value is not None}
    clauses = [f"{name} = ?" for name in asked]
    values = list(asked.values())
    if search:
        # SQLite's own `lower` is quick, and knows only ASCII.
        lower = "lower" if search.isascii() else "folded"
        connection.create_function("folded", 1, _folded, deterministic=True)
        clauses.append(f"instr({lower}(relative), ?) > 0")
        values.append(search.lower() if search.isascii() else _folded(search))
    if ids is not None:
        choose_ids(connection, ids)
        clauses.append("id IN (SELECT id FROM chosen)")
    return (" WHERE " + " AND ".join(clauses) if clauses else ""), tuple(values)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text.casefold())


def choose_ids(connection: sqlite3.Connection, ids: Iterable[int]) -> None:
    """Put `ids` into the connection's table `chosen`: a statement takes only so many values itself."""
    connection.execute("CREATE TEMP TABLE IF NOT EXISTS chosen (id INTEGER PRIMARY KEY)")
    connection.execute("DELETE FROM chosen")
    connection.executemany("INSERT OR IGNORE INTO chosen VALUES (?)", [(id,) for id in ids])

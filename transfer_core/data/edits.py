"""What the user changes of a project's pictures: an append-only list with undo and redo; the files stay as they are."""

from __future__ import annotations

import sqlite3
import unicodedata
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from transfer_core.data import edit_log
from transfer_core.data.edit_log import Edit
from transfer_core.data.samples import SPLITS, choose_ids
from transfer_core.data.settle import settle_in
from transfer_core.errors import DataError
from transfer_core.i18n import _

if TYPE_CHECKING:
    from transfer_core.data.project import Project

LONGEST_NAME = 200


class Edits:
    """The edits of a project. Each is one transaction, seen at once by all pages and processes; raises DataError and StorageError."""

    def __init__(self, project: Project):
        self.project = project
        self.table = project.table

    def relabel(self, ids: Sequence[int], label: str) -> None:
        """Give these samples another class, one that is there or a new one; raises DataError for a name that won't do."""
        self._edit_samples("relabel", ids, class_name(label))

    def exclude(self, ids: Sequence[int]) -> None:
        """Take these samples out of use."""
        self._edit_samples("exclude", ids)

    def restore(self, ids: Sequence[int]) -> None:
        """Use these samples again."""
        self._edit_samples("restore", ids)

    def move(self, ids: Sequence[int], split: str) -> None:
        """Have these samples, and those that belong together with them, in this split."""
        if split not in SPLITS:
            raise ValueError(f"split is one of {SPLITS}, not {split!r}")
        self._edit_samples("move", ids, split)

    def rename(self, old: str, new: str) -> None:
        """Give a class another name; where there is a class of that name, the two become one."""
        new = class_name(new)
        if new == old:
            return
        with self.table.change() as connection:
            if not connection.execute("SELECT 1 FROM samples WHERE label = ? LIMIT 1", (old,)).fetchone():
                raise DataError(_("There is no class {label}.").format(label=old), code="no-such-class")
            edit_log.append(connection, "rename", new, [old])
            edit_log.apply(connection, _last(connection))

    def keep(self, check: str, keys: Iterable[str]) -> None:
        """Say that what a check found of these is fine as it is."""
        with self.table.change() as connection:
            edit_log.append(connection, "keep", check, list(keys))

    def kept(self, check: str) -> set[str]:
        """The keys that were said to be fine for this check."""
        with self.table.connect() as connection:
            done, _undone = edit_log.stacks(connection)
            rows = connection.execute("SELECT id FROM edits WHERE kind = 'keep' AND target = ?", (check,)).fetchall()
            edits = edit_log.read(connection, sorted({id for (id,) in rows}.intersection(done)))
        return {key for edit in edits for key in edit.items}

    def undo(self) -> Edit | None:
        """Take back the last change in force; returns it, None when there is none."""
        return self._step("undo")

    def redo(self) -> Edit | None:
        """Do again what was taken back last; returns it, None when there is none or something else was changed since."""
        return self._step("redo")

    def next_undo(self) -> Edit | None:
        """What `undo` would take back."""
        with self.table.connect() as connection:
            return _top(connection, "undo")

    def next_redo(self) -> Edit | None:
        """What `redo` would do again."""
        with self.table.connect() as connection:
            return _top(connection, "redo")

    def history(self, limit: int | None = None) -> list[Edit]:
        """The changes in force, the last first."""
        with self.table.connect() as connection:
            done, _undone = edit_log.stacks(connection)
            return edit_log.read(connection, done[::-1][:limit])

    def _edit_samples(self, kind: str, ids: Sequence[int], target: str | None = None) -> None:
        with self.table.change() as connection:
            choose_ids(connection, ids)
            if kind == "move":
                connection.execute(
                    "INSERT OR IGNORE INTO chosen SELECT id FROM samples WHERE grouping IN"
                    " (SELECT grouping FROM samples WHERE id IN (SELECT id FROM chosen))"
                )
            query = "SELECT source, relative FROM samples WHERE id IN (SELECT id FROM chosen) ORDER BY source, relative"
            items = [list(row) for row in connection.execute(query)]
            if not items:
                return
            edit_log.append(connection, kind, target, items)
            edit_log.apply(connection, _last(connection))
            if kind != "relabel":
                settle_in(connection, self.project.shares, _groups_of_chosen(connection))

    def _step(self, kind: str) -> Edit | None:
        with self.table.change() as connection:
            edit = _top(connection, kind)
            if edit is None:
                return None
            edit_log.append(connection, kind, None, [edit.id])
            if edit.kind == "rename":
                edit_log.replay(connection)
            elif edit.kind in edit_log.OF_SAMPLES:
                edit_log.choose_items(connection, edit.items)
                edit_log.replay_chosen(connection)
                if edit.kind != "relabel":
                    settle_in(connection, self.project.shares, _groups_of_chosen(connection))
            return edit


def class_name(text: str) -> str:
    """The name of a class as it is written down; raises DataError for one that won't do."""
    name = unicodedata.normalize("NFC", text).strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise DataError(
            _("A class needs a name of 1 to {most} characters on one line.").format(most=LONGEST_NAME), code="bad-class-name"
        )
    return name


def _top(connection: sqlite3.Connection, kind: str) -> Edit | None:
    done, undone = edit_log.stacks(connection)
    return next(iter(edit_log.read(connection, (done if kind == "undo" else undone)[-1:])), None)


def _last(connection: sqlite3.Connection) -> Edit:
    return edit_log.read(connection, connection.execute("SELECT max(id) FROM edits").fetchone())[0]


def _groups_of_chosen(connection: sqlite3.Connection) -> set[str]:
    query = "SELECT DISTINCT grouping FROM samples WHERE id IN (SELECT id FROM chosen) AND grouping IS NOT NULL"
    return {row[0] for row in connection.execute(query)}

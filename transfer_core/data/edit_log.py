"""The list of edits in a project's table: appended to, never changed, and what it comes to for the samples."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from transfer_core.data.samples import choose_ids
from transfer_core.i18n import _, ngettext

# Of a sample, what an edit of its kind writes; `?1` is the target.
_WRITES = {
    "relabel": "label = ?1",
    "exclude": "excluded = 1",
    "restore": "excluded = 0",
    "move": "pinned = ?1",
}
OF_SAMPLES = tuple(_WRITES)


@dataclass(frozen=True)
class Edit:
    """One change: `kind` is relabel, exclude, restore, move, rename or keep.

    `target` is the class or split it leads to, the check for `keep`. `items` are the samples as [source, relative], the old class's name
    for `rename`, the keys of what was found for `keep`.
    """

    id: int
    time: float
    kind: str
    target: str | None
    items: list[Any] = field(repr=False)

    @property
    def words(self) -> str:
        """What it did, in a few words."""
        if self.kind == "rename":
            return _("{old} renamed to {name}").format(old=self.items[0], name=self.target)
        count, name = len(self.items), self.target
        if self.kind == "relabel":
            text = ngettext("{count} picture to {name}", "{count} pictures to {name}", count)
        elif self.kind == "exclude":
            text = ngettext("{count} picture excluded", "{count} pictures excluded", count)
        elif self.kind == "restore":
            text = ngettext("{count} picture restored", "{count} pictures restored", count)
        elif self.kind == "move":
            text = ngettext("{count} picture moved: {name}", "{count} pictures moved: {name}", count)
            name = {"train": _("for learning"), "val": _("for checking"), "test": _("for testing")}.get(name or "", "")
        else:
            text = ngettext("{count} thing kept as it is", "{count} things kept as they are", count)
        return text.format(count=count, name=name)


def append(connection: sqlite3.Connection, kind: str, target: str | None, items: Sequence[Any]) -> None:
    """Write down an edit, an undoing ("undo") or a doing again ("redo")."""
    connection.execute(
        "INSERT INTO edits (time, kind, target, items) VALUES (?, ?, ?, ?)",
        (time.time(), kind, target, json.dumps(list(items), ensure_ascii=False)),
    )


def stacks(connection: sqlite3.Connection) -> tuple[list[int], list[int]]:
    """The ids of the edits in force, and of those taken back, each with the last at its end."""
    done: list[int] = []
    undone: list[int] = []
    for id, kind in connection.execute("SELECT id, kind FROM edits ORDER BY id"):
        if kind == "undo" and done:
            undone.append(done.pop())
        elif kind == "redo" and undone:
            done.append(undone.pop())
        elif kind not in ("undo", "redo"):
            done.append(id)
            undone.clear()
    return done, undone


def read(connection: sqlite3.Connection, ids: Iterable[int]) -> list[Edit]:
    """The edits of these ids, in their order."""
    query = "SELECT id, time, kind, target, items FROM edits WHERE id = ?"
    rows = (connection.execute(query, (id,)).fetchone() for id in ids)
    return [Edit(id, time, kind, target, json.loads(items)) for id, time, kind, target, items in rows]


def apply(connection: sqlite3.Connection, edit: Edit, among: str = "") -> None:
    """Bring the samples, or those `among` them, in step with one more edit."""
    if edit.kind == "rename":
        connection.execute(f"UPDATE samples SET label = ? WHERE label = ?{among}", (edit.target, edit.items[0]))
    elif edit.kind in OF_SAMPLES:
        statement = f"UPDATE samples SET {_WRITES[edit.kind]} WHERE source = ?2 AND relative = ?3{among}"
        connection.executemany(statement, [(edit.target, source, relative) for source, relative in edit.items])


def choose_items(connection: sqlite3.Connection, items: Iterable[Sequence[Any]]) -> None:
    """Choose the samples of these (source, relative); those that are not there any more are not among them."""
    choose_ids(connection, ())
    query = "INSERT OR IGNORE INTO chosen SELECT id FROM samples WHERE source = ? AND relative = ?"
    connection.executemany(query, [tuple(item) for item in items])


def replay(connection: sqlite3.Connection) -> None:
    """Bring class, pinned split and exclusion of all samples in step with their sources and the edits in force."""
    _replay(connection, "")


def replay_chosen(connection: sqlite3.Connection) -> None:
    """As `replay`, for the chosen samples alone."""
    _replay(connection, " AND id IN (SELECT id FROM chosen)")


def _replay(connection: sqlite3.Connection, among: str) -> None:
    connection.execute(
        "UPDATE samples SET label = given_label, pinned = NULL, excluded = 0"
        f" WHERE (label IS NOT given_label OR pinned IS NOT NULL OR excluded){among}"
    )
    done, _undone = stacks(connection)
    for edit in read(connection, done):
        apply(connection, edit, among)

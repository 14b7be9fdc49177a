"""Which pictures belong together: copies, pictures taken in one go, and groups that the user's data names."""

from __future__ import annotations

import sqlite3
from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple


class Pair(NamedTuple):
    """Two pictures, by content, the first one's being the smaller: `kind` is "copy" or "burst", `similarity` 0 to 1."""

    first: str
    second: str
    kind: str
    similarity: float


class Union:
    """Sets that grow together (union-find with path halving); the smallest member stands for a set."""

    def __init__(self) -> None:
        self._parent: dict[Hashable, Hashable] = {}

    def find(self, member: Hashable) -> Hashable:
        """The member that stands for the set of this one."""
        parent = self._parent
        while (above := parent.get(member, member)) != member:
            parent[member] = parent.get(above, above)
            member = above
        return member

    def join(self, one: Hashable, other: Hashable) -> None:
        """Make one set of two."""
        low, high = sorted((self.find(one), self.find(other)), key=repr)
        self._parent.setdefault(low, low)
        self._parent[high] = low


def keep_pairs(connection: sqlite3.Connection, pairs: Iterable[Pair]) -> None:
    """Remember pairs that were found."""
    connection.executemany("INSERT OR REPLACE INTO pairs VALUES (?, ?, ?, ?)", list(pairs))


def kept_pairs(connection: sqlite3.Connection, kind: str | None = None) -> list[Pair]:
    """The pairs that are known, the most similar first; those of files that went are among them."""
    clause, values = (" WHERE kind = ?", (kind,)) if kind else ("", ())
    query = f"SELECT first, second, kind, similarity FROM pairs{clause} ORDER BY similarity DESC, first, second"
    return [Pair(*row) for row in connection.execute(query, values)]


def regroup(connection: sqlite3.Connection) -> None:
    """Write into every sample which copies and which group it belongs to; only what changes is written.

    A group is what pairs, a given group of the source, or both in a row hold together. Time and memory grow with the pictures in groups.
    """
    copies, groups = Union(), Union()
    for pair in kept_pairs(connection):
        groups.join(pair.first, pair.second)
        if pair.kind == "copy":
            copies.join(pair.first, pair.second)
    query = "SELECT id, content, source, given_group, copies, grouping FROM samples WHERE content IS NOT NULL"
    rows: Sequence[tuple[int, str, int, str | None, str | None, str | None]] = connection.execute(query).fetchall()
    for _id, content, source, given, _copies, _grouping in rows:
        if given is not None:
            groups.join(content, ("given", source, given))
    changes = []
    for id, content, _source, _given, before_copies, before_group in rows:
        found = str(copies.find(content)), _named(groups.find(content))
        if found != (before_copies, before_group):
            changes.append((*found, id))
    connection.executemany("UPDATE samples SET copies = ?, grouping = ? WHERE id = ?", changes)


def _named(member: Hashable) -> str:
    return member if isinstance(member, str) else "given:" + ":".join(str(part) for part in member[1:])  # type: ignore[index]

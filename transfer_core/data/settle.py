"""What follows from files and edits: which pictures are in use, and in which split each stands."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Collection
from dataclasses import replace

from transfer_core.data.edit_log import replay
from transfer_core.data.groups import regroup
from transfer_core.data.samples import SPLITS, SampleTable, choose_ids
from transfer_core.data.split import HELD_OUT, Member, Shares, find_leaks, plan_splits
from transfer_core.i18n import _


def settle(table: SampleTable, shares: Shares) -> None:
    """Bring groups, states and splits in step with what was scanned, found and edited; only what changes is written."""
    with table.change() as connection:
        replay(connection)
        regroup(connection)
        settle_in(connection, shares)
        connection.execute("DELETE FROM marks WHERE name = 'unsettled'")


def settle_in(connection: sqlite3.Connection, shares: Shares, groups: Collection[str] | None = None) -> None:
    """As `settle`, inside a transaction and with the groups as they are; with `groups` for those alone, where all else stays.

    Near and exact copies of a held-out picture are left out of what is learnt from. Where the folders give a test set, none is cut from the
    rest; the same for a validation set. Time: a read of the rows in use, 1 s for 100,000; for a few groups those of their classes.
    """
    where = ""
    if groups is not None:
        chosen = [row[0] for group in groups for row in connection.execute("SELECT id FROM samples WHERE grouping = ?", (group,))]
        choose_ids(connection, chosen)
        where = " AND id IN (SELECT id FROM chosen)"
    connection.execute(
        "UPDATE samples SET state = CASE WHEN problem IS NOT NULL THEN 'out' WHEN excluded THEN 'excluded' ELSE 'in' END, reason = problem"
        " WHERE (state IS NOT CASE WHEN problem IS NOT NULL THEN 'out' WHEN excluded THEN 'excluded' ELSE 'in' END"
        f" OR reason IS NOT problem){where}"
    )
    if groups is not None:
        where = (
            " AND label IN (SELECT label FROM samples WHERE id IN (SELECT id FROM chosen))"
            " OR state = 'in' AND grouping IN (SELECT grouping FROM samples WHERE id IN (SELECT id FROM chosen))"
        )
    members, before = _members(connection, where)
    given = {row[0] for row in connection.execute("SELECT DISTINCT given_split FROM samples WHERE state = 'in'")}
    shares = replace(shares, val=0.0 if "val" in given else shares.val, test=0.0 if "test" in given else shares.test)
    leaks = find_leaks(members)
    reasons = {
        "test": _("the same picture is in the test set"),
        "val": _("the same picture is in the validation set"),
    }
    connection.executemany(
        "UPDATE samples SET state = 'out', reason = ? WHERE id = ?", [(reasons[split], id) for id, split in leaks.items()]
    )
    members = [member for member in members if member.id not in leaks]
    splits = plan_splits(members, shares)
    # What was drawn is kept beside what is: a picture that was moved goes back to it when that is undone.
    drawn = {member.id: member.drawn if member.given else splits[member.id] for member in members}
    changed = [
        (drawn[member.id], splits[member.id], member.id)
        for member in members
        if (drawn[member.id], splits[member.id]) != (member.drawn, before[member.id])
    ]
    connection.executemany("UPDATE samples SET drawn = ?, split = ? WHERE id = ?", changed)


def _members(connection: sqlite3.Connection, where: str) -> tuple[list[Member], dict[int, str | None]]:
    query = (
        "SELECT id, coalesce(label, ''), source, relative, grouping, copies, content, given_split, pinned, drawn, split "
        f"FROM samples WHERE state = 'in'{where}"
    )
    pins: dict[str, str] = {}
    pinned_ones = f"SELECT coalesce(grouping, content), pinned FROM samples WHERE (state = 'in'{where}) AND pinned IS NOT NULL"
    for group, pinned in connection.execute(pinned_ones):
        # Where pictures of one group were moved apart before they became one, the more protected set has them.
        pins[group] = min(pinned, pins.get(group, pinned), key=(*HELD_OUT, "train").index)
    # Every row brings texts of its own: what is the same is kept once, or a large set takes twice the memory.
    once = {split: split for split in SPLITS}
    members, before = [], {}
    for id, label, source, relative, grouping, copies, content, given_split, pinned, drawn, split in connection.execute(query):
        group = content if grouping is None or grouping == content else grouping
        # A training folder of the user's is not a must: where no validation set is given, one is cut from it.
        given = once.get(pinned) or (once[given_split] if given_split in HELD_OUT else pins.get(group))
        shown = content if copies is None or copies == content else copies
        name = f"{source:04}/{relative}"
        members.append(Member(id, sys.intern(label), name, group, shown, given, once.get(drawn)))
        before[id] = once.get(split)
    return members, before

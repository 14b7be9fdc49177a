"""The tables in `samples.sqlite`, and how an older file becomes one of today."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from transfer_core.errors import DataError, newer_schema

SCHEMA = 2

_TABLES = """
CREATE TABLE samples (
  id INTEGER PRIMARY KEY,
  source INTEGER NOT NULL,
  relative TEXT NOT NULL,
  -- what the source says
  given_label TEXT,
  given_split TEXT,
  given_group TEXT,
  -- what the file is
  content TEXT,
  size INTEGER NOT NULL,
  mtime_ns INTEGER NOT NULL,
  width INTEGER,
  height INTEGER,
  format TEXT,
  mode TEXT,
  orientation INTEGER,
  animated INTEGER NOT NULL DEFAULT 0,
  taken TEXT,
  problem TEXT,
  -- what edits say
  label TEXT,
  pinned TEXT CHECK (pinned IN ('train', 'val', 'test')),
  excluded INTEGER NOT NULL DEFAULT 0,
  -- what follows from all of it
  copies TEXT,
  grouping TEXT,
  drawn TEXT,
  split TEXT,
  state TEXT NOT NULL DEFAULT 'out' CHECK (state IN ('in', 'excluded', 'out')),
  reason TEXT,
  UNIQUE (source, relative)
);
-- The first two hold all that pages count by and walk over: what a page skips is never read from the table itself.
CREATE INDEX samples_by_class ON samples (label, state, split);
CREATE INDEX samples_by_state ON samples (state, label, source, relative, split);
CREATE INDEX samples_in_order ON samples (label, source, relative);
CREATE INDEX samples_by_content ON samples (content);
CREATE INDEX samples_by_group ON samples (grouping);

-- Pictures that show the same, or that were taken in one go, by content.
CREATE TABLE pairs (
  first TEXT NOT NULL,
  second TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('copy', 'burst')),
  similarity REAL NOT NULL,
  PRIMARY KEY (first, second, kind)
) WITHOUT ROWID;

-- The contents that were compared with each other.
CREATE TABLE compared (content TEXT PRIMARY KEY) WITHOUT ROWID;

-- What is yet to be done, should a process end between two transactions.
CREATE TABLE marks (name TEXT PRIMARY KEY) WITHOUT ROWID;

-- Append-only: an undone edit stays, and the undoing is an edit too.
CREATE TABLE edits (
  id INTEGER PRIMARY KEY,
  time REAL NOT NULL,
  kind TEXT NOT NULL,
  target TEXT,
  items TEXT NOT NULL
);
"""

# Before edits there was one label, and a picture left out for its copy in a held-out set looked like a bad file.
_FROM_1 = """
INSERT INTO samples (id, source, relative, given_label, given_split, content, size, mtime_ns, width, height, format, problem,
                     label, drawn, split, state, reason)
SELECT id, source, relative, label, given_split, content, size, mtime_ns, width, height, format,
       CASE WHEN content IS NULL THEN reason END, label,
       CASE WHEN given_split IN ('val', 'test') THEN NULL ELSE split END, split, state, reason
FROM samples_1;
DROP TABLE samples_1;
"""


def prepare(connection: sqlite3.Connection, file: Path) -> None:
    """Make the tables where there are none, and bring those of an older program up to date; raises DataError for a newer one's."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == SCHEMA:
        return
    if version > SCHEMA:
        raise newer_schema(DataError, file)
    # Two processes may find the same: the second waits here, and then looks again.
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version == 1:
            connection.execute("DROP INDEX IF EXISTS samples_by_class")
            connection.execute("DROP INDEX IF EXISTS samples_by_content")
            connection.execute("ALTER TABLE samples RENAME TO samples_1")
        if version < SCHEMA:
            for statement in _statements(_TABLES + (_FROM_1 if version == 1 else "")):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version={SCHEMA}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _statements(script: str) -> list[str]:
    # Not `executescript`, which would end the transaction that holds other processes off.
    return [statement for statement in script.split(";") if statement.strip()]

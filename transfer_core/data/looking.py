"""The one look at every picture: its fingerprint, and from all of them which pictures show the same or were taken in one go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from transfer_core.data.bursts import find_bursts
from transfer_core.data.groups import Pair, keep_pairs
from transfer_core.data.near_candidates import Indices
from transfer_core.data.near_duplicates import Pairs, find_pairs
from transfer_core.data.project import Project
from transfer_core.data.samples import SampleTable, Shot
from transfer_core.data.settle import settle
from transfer_core.images.fingerprint import FingerprintStore
from transfer_core.images.pixels import Source, decode_together
from transfer_core.processes import usable_cores

BLOCK = 10_000  # pictures whose paths are written out at once

Progress = Callable[[int, int], None]
Checkpoint = Callable[[], None]


def look(
    project: Project,
    threads: int | None = None,
    progress: Progress | None = None,
    checkpoint: Checkpoint | None = None,
    comparing: Progress | None = None,
) -> int:
    """Decode what is new in a scanned project, and bring groups and splits in step with what it shows; returns how many were new.

    A picture that turns out broken is left out with its reason and stops nothing. `progress(done, total)` counts pictures,
    `comparing(done, total)` what is compared afterwards; `checkpoint()` is called between chunks and may raise to stop: what was done
    stays. Raises StorageError when the disk refuses.
    Memory: 0.5 KB a picture and 100 MB; disk: 4.6 KB a picture.
    """
    store = fingerprints(project)
    new = _unseen(project.table, store)
    for start in range(0, len(new), BLOCK):
        block = [Source(shot.content, project.table.path(shot)) for shot in new[start : start + BLOCK]]
        told = partial(_tell, progress, start, len(new)) if progress else None
        failed = decode_together([(store, block)], threads or usable_cores(), told, checkpoint)
        if failed:
            project.table.mark_broken((source.content, error.message) for source, error in failed)
    _compare(project, store, threads, comparing, checkpoint)
    return len(new)


def fingerprints(project: Project) -> FingerprintStore:
    """The project's fingerprints, by content."""
    return FingerprintStore(project.cache / "fingerprints")


def _unseen(table: SampleTable, store: FingerprintStore) -> list[Shot]:
    """The pictures of which there is no fingerprint yet."""
    shots = {shot.content: shot for shot in table.shots()}
    return [shots[content] for content in store.missing(shots)]


def _tell(progress: Progress, before: int, total: int, done: int, _of_block: int) -> None:
    progress(before + done, total)


def _compare(
    project: Project, store: FingerprintStore, threads: int | None, progress: Progress | None, checkpoint: Checkpoint | None
) -> None:
    """Find the pairs that new fingerprints make with all others, and settle groups, states and splits by them."""
    table = project.table
    with table.connect() as connection:
        compared = {row[0] for row in connection.execute("SELECT content FROM compared")}
    new = np.array([place for place, content in enumerate(store.keys()) if content not in compared], np.int64)
    del compared  # of a hundred thousand pictures, as much as the comparing itself takes
    if len(new):
        _pair(table, store, new, threads, progress, checkpoint)
    if not table.settled():
        settle(table, project.shares)


def _pair(
    table: SampleTable,
    store: FingerprintStore,
    new: Indices,
    threads: int | None,
    progress: Progress | None,
    checkpoint: Checkpoint | None,
) -> None:
    """Keep the pairs that the fingerprints at these places make with all others."""
    contents = store.keys()
    # Of a few, all are new at once; of many, what changes is compared with the rest alone.
    copies = find_pairs(store.rows(), None if len(new) == len(contents) else new, threads, progress, checkpoint)
    shots = [shot for shot in table.shots() if shot.content in store]
    rows = store.positions(shot.content for shot in shots)
    bursts = find_bursts(shots, store.rows(), rows)
    with table.change() as connection:
        keep_pairs(connection, _named(contents, copies, "copy"))
        keep_pairs(connection, _named([shot.content for shot in shots], bursts, "burst"))
        connection.executemany("INSERT OR IGNORE INTO compared VALUES (?)", ((contents[place],) for place in new))
        connection.execute("INSERT OR IGNORE INTO marks VALUES ('unsettled')")


def _named(contents: Sequence[str], pairs: Pairs, kind: str) -> list[Pair]:
    return [
        Pair(min(contents[first], contents[second]), max(contents[first], contents[second]), kind, round(float(similarity), 4))
        for (first, second), similarity in zip(pairs.indices, pairs.similarity, strict=True)
    ]

"""The one look at every picture: its fingerprint, and from all of them which pictures show the same or were taken in one go."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from transfer_core.data.bursts import find_bursts
from transfer_core.data.groups import Pair, keep_pairs
from transfer_core.data.near_duplicates import Pairs, find_pairs
from transfer_core.data.project import Project
from transfer_core.data.settle import settle
from transfer_core.errors import ImageError
from transfer_core.images.fingerprint import FingerprintStore
from transfer_core.images.pixels import Source, decode_together
from transfer_core.processes import usable_cores

Progress = Callable[[int, int], None]
Checkpoint = Callable[[], None]


def look(
    project: Project, threads: int | None = None, progress: Progress | None = None, checkpoint: Checkpoint | None = None
) -> int:
    """Decode what is new in a scanned project, and bring groups and splits in step with what it shows; returns how many were new.

    A picture that turns out broken is left out with its reason and stops nothing. `progress(done, total)` counts pictures, `checkpoint()`
    is called between chunks and may raise to stop: what was done stays. Raises StorageError when the disk refuses.
    Memory: 0.5 KB a picture and 100 MB; disk: 4.6 KB a picture.
    """
    new = unseen(project)
    if new:
        note(project, decode_together([(fingerprints(project), new)], threads or usable_cores(), progress, checkpoint))
    compare(project, threads, checkpoint)
    return len(new)


def fingerprints(project: Project) -> FingerprintStore:
    """The project's fingerprints, by content."""
    return FingerprintStore(project.cache / "fingerprints")


def unseen(project: Project) -> list[Source]:
    """The pictures of which there is no fingerprint yet."""
    known = {sample.content: sample.path for sample in project.table.readable()}
    return [Source(content, known[content]) for content in fingerprints(project).missing(known)]


def note(project: Project, failed: Iterable[tuple[Source, ImageError]]) -> None:
    """Take pictures that turned out broken out of use."""
    problems = [(source.content, error.message) for source, error in failed]
    if problems:
        project.table.mark_broken(problems)


def compare(project: Project, threads: int | None = None, checkpoint: Checkpoint | None = None) -> None:
    """Find the pairs that new fingerprints make with all others, and settle groups, states and splits by them."""
    table = project.table
    store = fingerprints(project)
    contents = store.keys()
    with table.connect() as connection:
        compared = {row[0] for row in connection.execute("SELECT content FROM compared")}
    new = np.array([place for place, content in enumerate(contents) if content not in compared], np.int64)
    if len(new):
        # Of a few, all are new at once; of many, what changes is compared with the rest alone.
        copies = find_pairs(store.rows(), None if len(new) == len(contents) else new, threads, checkpoint=checkpoint)
        shots = [sample for sample in table.readable() if sample.content in store]
        rows = store.positions(sample.content for sample in shots)
        bursts = find_bursts(shots, store.rows(), rows)
        with table.change() as connection:
            keep_pairs(connection, _named(contents, copies, "copy"))
            keep_pairs(connection, _named([shot.content for shot in shots], bursts, "burst"))
            connection.executemany("INSERT OR IGNORE INTO compared VALUES (?)", [(contents[place],) for place in new])
            connection.execute("INSERT OR IGNORE INTO marks VALUES ('unsettled')")
    if not table.settled():
        settle(table, project.shares)


def _named(contents: Sequence[str], pairs: Pairs, kind: str) -> list[Pair]:
    return [
        Pair(min(contents[first], contents[second]), max(contents[first], contents[second]), kind, round(float(similarity), 4))
        for (first, second), similarity in zip(pairs.indices, pairs.similarity, strict=True)
    ]

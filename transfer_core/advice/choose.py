"""Which backbone suits these pictures: features of some of them from every candidate, scores, and heads for the best three.

The candidates are compared on at most 1,000 pictures; the features are those that a later run uses, and stay where it looks for them.
Ranked by published accuracy plus LogME (see `ranking`), ties by leave-one-out nearest neighbours; the best three get cross-validated
heads, which decide. The test set is never looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from transfer_core.advice.candidates import Candidate, candidates
from transfer_core.advice.choice import Choice, faster_alike, sentence
from transfer_core.advice.measuring import Checkpoint, Entry, Measuring, Tell
from transfer_core.advice.scores import RIGHT, WRONG
from transfer_core.data.looking import look
from transfer_core.data.project import Project
from transfer_core.data.scan import check_trainable, scan
from transfer_core.i18n import _
from transfer_core.training.choices import choose_threads
from transfer_core.training.settings import RunSettings


def choose_for(
    data: Path,
    download: bool = False,
    seconds: float | None = None,
    threads: int = 0,
    progress: Tell | None = None,
    checkpoint: Checkpoint | None = None,
) -> Choice:
    """The choice for a folder of labelled pictures, or a project, among the weights at hand, with `download` among all there are.

    Raises DataError and StorageError as a run would; for the rest see `choose`.
    """
    project = Project.for_source(data)
    scan(project, checkpoint=checkpoint)
    look(project, choose_threads(RunSettings(threads=threads)), checkpoint=checkpoint)
    check_trainable(project)
    return choose(
        project,
        candidates(download, choose_threads(RunSettings(threads=threads))),
        seconds,
        threads,
        progress=progress,
        checkpoint=checkpoint,
    )


def choose(
    project: Project,
    among: Sequence[Candidate],
    seconds: float | None = None,
    threads: int = 0,
    seed: int = 0,
    progress: Tell | None = None,
    checkpoint: Checkpoint | None = None,
) -> Choice:
    """Compare the candidates on the project's pictures, which were scanned, and recommend one.

    A candidate whose pass over all pictures is predicted to take more than `seconds` is left out, as is one that can't be used, with the
    reason in its row. Non-commercial weights are scored but never recommended. `checkpoint()` is called between batches and may
    raise to stop; what was computed stays on disk, and asking again goes on from there.
    Raises DataError where fewer than two classes have pictures that can be read.
    """
    measuring = Measuring(project, threads, seed, progress or (lambda _told: None), checkpoint or (lambda: None))
    entries = [Entry(each, measuring.seconds_for(each)) for each in {each.key: each for each in among}.values()]
    for entry in entries:
        if seconds is not None and entry.seconds.value > seconds:
            entry.left_out = _("One pass over these pictures would take longer than the time given.")
    measuring.decode([entry.candidate for entry in entries if not entry.left_out])
    for number, entry in enumerate(entries):
        if not entry.left_out:
            measuring.measure(entry, [later.candidate for later in entries[number + 1 :] if not later.left_out])
    measuring.score([entry for entry in entries if not entry.left_out])
    confirmed = measuring.confirm(entries)
    return _conclude(entries, confirmed, len(measuring.looked_at), measuring.pictures)


def _conclude(entries: Sequence[Entry], confirmed: Sequence[Entry], looked_at: int, pictures: int) -> Choice:
    """The table: the confirmed by accuracy, the others by score, then those that nothing was measured of."""
    others = [entry for entry in entries if entry not in confirmed]
    scored = sorted((entry for entry in others if entry.score is not None), key=lambda entry: -(entry.score or 0.0))
    rows = [entry.row() for entry in [*confirmed, *scored, *(entry for entry in others if entry.score is None)]]
    recommended = rows[0] if confirmed else None
    alike = None
    if recommended:
        compared = [(row, *_alone(confirmed[0], entry)) for row, entry in zip(rows[1:], confirmed[1:], strict=False)]
        alike = faster_alike(recommended, compared)
    return Choice(rows, recommended, sentence(recommended, alike, looked_at), looked_at, pictures)


def _alone(first: Entry, second: Entry) -> tuple[int, int]:
    """How many pictures the first alone, and the second alone, answered rightly."""
    pairs = list(zip(first.answers, second.answers, strict=True))
    return pairs.count((RIGHT, WRONG)), pairs.count((WRONG, RIGHT))

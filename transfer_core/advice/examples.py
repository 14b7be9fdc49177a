"""A few of a project's own pictures as training would be shown them: what an augmentation does is best seen."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain, zip_longest
from pathlib import Path

from transfer_core.data.project import Project
from transfer_core.data.samples import Sample
from transfer_core.data.scan import check_trainable
from transfer_core.images.augmentation import Augmentation
from transfer_core.images.pixels import PixelMap, Source
from transfer_core.images.view import View


def make_examples(
    project: Project,
    view: View,
    augmentation: Augmentation,
    count: int,
    seed: int,
    folder: Path,
    checkpoint: Callable[[], None] | None = None,
) -> list[tuple[str, list[Path]]]:
    """For each of at most `count` pictures its class and the files, in `folder`, of the picture as it is and of its views.

    Only the pictures shown are decoded, where they are not yet. Raises DataError where there is nothing to learn from, ImageError where
    none can be read, StorageError.
    """
    from transfer_core.images.preview import draw_examples  # here: it loads torch

    check_trainable(project)
    chosen = some_of_all(project, count)
    pixels = PixelMap(project.cache / "pixels", view)
    failed = pixels.decode([Source(sample.content, sample.path) for sample in chosen], 1, checkpoint=checkpoint)
    broken = {source.content for source, _error in failed}
    readable = [sample for sample in chosen if sample.content not in broken]
    if not readable:
        raise failed[0][1]
    drawn = draw_examples(pixels, [sample.content for sample in readable], augmentation, seed, folder, checkpoint)
    return [(sample.label or "", files) for sample, files in zip(readable, drawn, strict=True)]


def some_of_all(project: Project, count: int) -> list[Sample]:
    """At most `count` pictures in use, of as many classes as that can be; always the same ones, so that settings can be compared."""
    labels = [found.label for found in project.table.classes() if found.total][:count]
    examples = project.table.examples(labels, -(-count // max(1, len(labels))))
    turns = zip_longest(*(examples[label] for label in labels))
    return [sample for sample in chain.from_iterable(turns) if sample is not None][:count]

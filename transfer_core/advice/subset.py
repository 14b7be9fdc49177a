"""A part of the pictures that stands for all of them."""

from __future__ import annotations

from collections import defaultdict

from transfer_core.training.samples import RunSample, RunSamples

LEAST = 2  # of each class, where there is room: a single picture is never held out


def stratified(samples: RunSamples, most: int) -> RunSamples:
    """At most `most` of `samples`, each picture once, in the shares that the classes have of all; in the order they came in.

    A validation set of the user's keeps its share too. Which pictures stand for a class is told by their content alone, so that the
    same ones are taken again whatever was renamed, and mostly the same when pictures come. Shares by the method of Sainte-Lague
    (1910): the n-th picture of a class of `count` comes at rank (2n - 1) / count.
    """
    strata: dict[tuple[str, bool], list[RunSample]] = defaultdict(list)
    for sample in {sample.content: sample for sample in reversed(samples.samples)}.values():
        strata[sample.label, sample.given and sample.split == "val"].append(sample)
    ranked = []
    for stratum in sorted(strata):
        members = sorted(strata[stratum], key=lambda sample: sample.content)
        for place, sample in enumerate(members):
            ranked.append((place >= LEAST, (2 * place + 1) / len(members), sample.content, sample.path))
    chosen = {(content, path) for _later, _rank, content, path in sorted(ranked)[:most]}
    return RunSamples([sample for sample in samples.samples if (sample.content, sample.path) in chosen])

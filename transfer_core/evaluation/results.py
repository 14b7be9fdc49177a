"""What a model got right and wrong on the pictures it had not seen."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from transfer_core.errors import ModelError
from transfer_core.i18n import _
from transfer_core.metrics.confusion import confusion_matrix
from transfer_core.metrics.intervals import Score, wilson
from transfer_core.models.folder import Model

ANSWERS = "answers.jsonl"


@dataclass(frozen=True)
class Answered:
    """A held-out picture and what the model said of it. `probabilities` are in the order of the classes."""

    path: Path
    relative: str
    label: str
    predicted: str
    confidence: float
    probabilities: list[float]

    @property
    def right(self) -> bool:
        """Whether the answer is the picture's class."""
        return self.predicted == self.label


@dataclass(frozen=True)
class ClassScore:
    """How many of a class's pictures were answered rightly (recall), with its 95 % interval."""

    label: str
    accuracy: float
    low: float
    high: float
    count: int


@dataclass(frozen=True)
class Results:
    """Answers on one split, and what follows from them. `how` says in a sentence what was measured."""

    split: str
    how: str
    classes: list[str]
    answered: list[Answered]

    @cached_property
    def score(self) -> Score | None:
        """The share answered rightly."""
        return wilson(sum(answer.right for answer in self.answered), len(self.answered))

    @cached_property
    def labels(self) -> list[str]:
        """The classes of rows and columns: those learnt, then any that only the pictures have."""
        return [*self.classes, *sorted({answer.label for answer in self.answered} - set(self.classes))]

    @cached_property
    def confusion(self) -> list[list[int]]:
        """Counts by true class (rows) and answer (columns), in the order of `labels`."""
        number = {label: place for place, label in enumerate(self.labels)}
        true = np.array([number[answer.label] for answer in self.answered], dtype=np.int64)
        said = np.array([number[answer.predicted] for answer in self.answered], dtype=np.int64)
        matrix: list[list[int]] = confusion_matrix(true, said, len(self.labels)).tolist()
        return matrix

    @cached_property
    def per_class(self) -> list[ClassScore]:
        """Each class that has pictures here."""
        scores = []
        for place, label in enumerate(self.labels):
            score = wilson(self.confusion[place][place], sum(self.confusion[place]))
            if score:
                scores.append(ClassScore(label, score.accuracy, score.low, score.high, score.count))
        return scores

    @cached_property
    def wrong(self) -> list[Answered]:
        """The wrong answers, the surest first."""
        return sorted((answer for answer in self.answered if not answer.right), key=lambda answer: -answer.confidence)


def read_results(model_folder: Path, split: str | None = None) -> Results:
    """The results of the run that left `model_folder`: on its test pictures where it has any, else on its validation pictures.

    Raises ModelError when the run has left no answers, as for a model folder that was copied away from its run.
    """
    model = Model.read(model_folder)
    file = model.folder.parent / ANSWERS
    if not file.exists():
        raise ModelError(
            _("The answers this model was scored by are not here."),
            code="no-answers",
            file=file,
            fix=_("Open the run it came from, or evaluate it on labelled pictures: transfer-studio evaluate MODEL DATA."),
        )
    by_split: dict[str, list[Answered]] = {"val": [], "test": []}
    try:
        with file.open(encoding="utf-8") as lines:
            for line in lines:
                record = json.loads(line)
                by_split[record["split"]].append(_answered(record, model.classes))
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise ModelError(_("{file} is damaged: {reason}.").format(file=file, reason=error), file=file) from error
    split = split or ("test" if by_split["test"] else "val")
    return Results(split, _how(split, model.scores.get("how_val", ""), len(by_split[split])), model.classes, by_split[split])


def _answered(record: dict[str, Any], classes: list[str]) -> Answered:
    probabilities = record["probabilities"]
    best = max(range(len(classes)), key=probabilities.__getitem__)
    return Answered(Path(record["path"]), record["relative"], record["label"], classes[best], probabilities[best], probabilities)


def _how(split: str, how_val: str, count: int) -> str:
    if split == "test":
        return _("Measured on {count} test pictures that played no part in training.").format(count=count)
    if how_val == "out-of-fold":
        return _(
            "Measured on {count} pictures in turns: each was answered by a model trained without it (cross-validation), "
            "because there are too few to set some aside for good."
        ).format(count=count)
    return _(
        "Measured on {count} validation pictures that were not trained on, though the best epoch was picked by them."
    ).format(count=count)

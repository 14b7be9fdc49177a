"""A model's scores on a folder of labelled pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transfer_core.data.file_facts import may_be_picture
from transfer_core.data.guess import source_at
from transfer_core.data.layout import Found
from transfer_core.data.sources import found_in
from transfer_core.errors import DataError
from transfer_core.evaluation.results import Answered, Results
from transfer_core.i18n import _
from transfer_core.models.predict import Predictor


@dataclass(frozen=True)
class Evaluation:
    """Results on a folder, the files that could not be read, and how many pictures of known classes were refused."""

    results: Results
    unreadable: list[dict[str, Any]]
    refused: int

    def as_data(self) -> dict[str, Any]:
        """`{"test", "per_class", "confusion", "classes", "refused", "unreadable"}`."""
        return {
            "test": self.results.score.as_data() if self.results.score else None,
            "per_class": [vars(score) for score in self.results.per_class],
            "classes": self.results.labels,
            "confusion": self.results.confusion,
            "refused": self.refused,
            "unreadable": self.unreadable,
        }


def evaluate(model_folder: Path, data: Path, progress: Callable[[int, int], None] | None = None) -> Evaluation:
    """Score a model on the class folders of `data`, or a table; of a train / val / test tree, on its test side if it has one.

    Pictures of classes the model does not know count as wrong. Raises DataError when there is no labelled picture.
    """
    predictor = Predictor(model_folder)
    found = [item for item in found_in(source_at(data)) if _is_asked(item)]
    if any(item.split == "test" for item in found):
        found = [item for item in found if item.split == "test"]
    if not found:
        raise DataError(
            _("There are no labelled pictures in {folder}.").format(folder=data),
            code="no-images",
            file=data,
            fix=_("Choose a folder that holds one sub-folder of pictures per class."),
        )
    answered: list[Answered] = []
    unreadable: list[dict[str, Any]] = []
    refused = 0
    for number, (item, prediction) in enumerate(zip(found, predictor.predict(item.path for item in found), strict=True), 1):
        if prediction.error:
            unreadable.append(prediction.error)
        else:
            answered.append(
                Answered(item.path, item.relative, item.label or "", prediction.label or "", prediction.confidence, [])
            )
            refused += prediction.refused
        if progress:
            progress(number, len(found))
    how = _("Measured on {count} pictures of {folder}.").format(count=len(answered), folder=data)
    return Evaluation(Results("test", how, predictor.model.classes, answered), unreadable, refused)


def _is_asked(item: Found) -> bool:
    """Whether the sample table would take this file for a picture of a class."""
    try:
        return bool(item.label) and item.reason is None and may_be_picture(item.path)
    except OSError:
        return False

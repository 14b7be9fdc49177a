"""Prediction from a model folder: Pillow, NumPy and ONNX Runtime, without torch."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from transfer_core.errors import ImageError, ModelError
from transfer_core.features.extract import session
from transfer_core.i18n import _
from transfer_core.images.decode import open_rgb
from transfer_core.images.view import Pixels
from transfer_core.models.folder import GRAPH, Model

BATCH = 16
TOP = 5


@dataclass(frozen=True)
class Prediction:
    """What a model says of a picture: its class and confidence in 0..1, or the error that kept it from being read.

    `refused` says that the picture is unlike everything learnt: "none of these". `top` are the likeliest classes, the first first.
    """

    file: Path
    label: str | None
    confidence: float
    refused: bool
    top: list[tuple[str, float]]
    error: dict[str, Any] | None = None

    def as_data(self) -> dict[str, Any]:
        """`{"file", "class", "confidence", "refused", "top"}`, or `{"file", "error"}`."""
        if self.error:
            return {"file": str(self.file), "error": self.error}
        return {
            "file": str(self.file),
            "class": self.label,
            "confidence": round(self.confidence, 6),
            "refused": self.refused,
            "top": [[label, round(probability, 6)] for label, probability in self.top],
        }


class Predictor:
    """A model, loaded. Answers are those of `model.onnx` on the prepared picture."""

    def __init__(self, folder: Path, threads: int = 0):
        self.model = Model.read(folder)
        threads = threads or os.cpu_count() or 1
        graph = self.model.folder / GRAPH
        try:
            self._session = session(graph, threads)
        except Exception as error:
            raise ModelError(_("{file} can't be loaded: {reason}.").format(file=graph, reason=error), file=graph) from error
        self._check_fit(graph)
        self._pool = ThreadPoolExecutor(threads)

    def _check_fit(self, graph: Path) -> None:
        """Raise ModelError unless the graph is of this model: files of two models mixed up would answer, and wrongly."""
        inputs = {each.name: list(each.shape[1:]) for each in self._session.get_inputs()}
        outputs = {each.name: list(each.shape[1:]) for each in self._session.get_outputs()}
        side, classes = self.model.view.crop, len(self.model.classes)
        if inputs != {"pixels": [side, side, 3]}:
            problem = _("it does not take pixels of {side} by {side}").format(side=side)
        elif outputs != {"probabilities": [classes], "novelty": []}:
            problem = _("it does not tell {count} classes apart").format(count=classes)
        else:
            return
        raise ModelError(
            _("{file} does not belong to the model it lies with: {problem}.").format(file=graph, problem=problem),
            code="graph-mismatch",
            file=graph,
            fix=_("Copy the whole model folder again from the run it came from."),
        )

    def probabilities(self, pixels: Pixels) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities `[n, classes]` and novelty `[n]` of prepared pixels uint8 `[n, crop, crop, 3]`."""
        probabilities, novelty = self._session.run(["probabilities", "novelty"], {"pixels": pixels})
        return np.asarray(probabilities), np.asarray(novelty)

    def predict(self, paths: Iterable[Path]) -> Iterator[Prediction]:
        """An answer for each picture, in order; one that can't be read is answered with its error. Memory: one batch."""
        pending = iter(paths)
        while batch := list(islice(pending, BATCH)):
            prepared = list(self._pool.map(self._prepare, batch))
            good = [pixels for pixels in prepared if not isinstance(pixels, ImageError)]
            answers = iter(zip(*self.probabilities(np.stack(good)), strict=True)) if good else iter(())
            for path, pixels in zip(batch, prepared, strict=True):
                if isinstance(pixels, ImageError):
                    yield Prediction(path, None, 0.0, False, [], pixels.as_data())
                else:
                    yield self._answer(path, *next(answers))

    def _prepare(self, path: Path) -> Pixels | ImageError:
        view = self.model.view
        try:
            return view.cut(view.square(open_rgb(path, need=view.resize)))
        except ImageError as error:
            return error

    def _answer(self, path: Path, probabilities: np.ndarray, novelty: float) -> Prediction:
        order = np.argsort(-probabilities, kind="stable")[:TOP]
        top = [(self.model.classes[i], float(probabilities[i])) for i in order]
        return Prediction(path, top[0][0], top[0][1], bool(novelty > self.model.refusal["threshold"]), top)

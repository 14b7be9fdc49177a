"""Prediction from a model folder: Pillow, NumPy and ONNX Runtime, without torch."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from onnxruntime import InferenceSession

from transfer_core.errors import ImageError, ModelError
from transfer_core.features.extract import session
from transfer_core.i18n import _
from transfer_core.images.decode import open_rgb
from transfer_core.images.view import Pixels, View
from transfer_core.models.folder import GRAPH, Model

BATCH = 16
TOP = 5

# Prepared pixels uint8 `[n, crop, crop, 3]` to probabilities `[n, classes]` and novelty `[n]`.
Run = Callable[[Pixels], Sequence[np.ndarray]]


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
        self._threads = threads or os.cpu_count() or 1
        self._run = self._graph_run() if self.model.graph else self._torch_run()
        self._pool = ThreadPoolExecutor(self._threads)

    def _graph_run(self) -> Run:
        graph = self.model.folder / GRAPH
        try:
            opened = session(graph, self._threads)
        except Exception as error:
            raise ModelError(_("{file} can't be loaded: {reason}.").format(file=graph, reason=error), file=graph) from error
        self._check_fit(graph, opened)
        return lambda pixels: opened.run(["probabilities", "novelty"], {"pixels": pixels})

    def _torch_run(self) -> Run:
        """For the few networks that are too large for a graph in one file: torch, which takes seconds to load."""
        from transfer_core.models.transfer_model import TransferModel

        return TransferModel.load(self.model.folder).answer

    def _check_fit(self, graph: Path, opened: InferenceSession) -> None:
        """Raise ModelError unless the graph is of this model: files of two models mixed up would answer, and wrongly."""
        inputs = {each.name: list(each.shape[1:]) for each in opened.get_inputs()}
        outputs = {each.name: list(each.shape[1:]) for each in opened.get_outputs()}
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
        probabilities, novelty = self._run(pixels)
        return np.asarray(probabilities), np.asarray(novelty)

    def predict(self, paths: Iterable[Path]) -> Iterator[Prediction]:
        """An answer for each picture, in order; one that can't be read is answered with its error. Memory: one batch."""
        pending = iter(paths)
        while batch := list(islice(pending, BATCH)):
            prepared = list(self._pool.map(lambda path: prepare(path, self.model.view), batch))
            yield from answers(batch, prepared, self.probabilities, self.model.classes, self.model.refusal["threshold"])


def prepare(path: Path, view: View) -> Pixels | ImageError:
    """What a network sees of a picture, uint8 `[crop, crop, 3]`, or why it can't be read."""
    try:
        return view.cut(view.square(open_rgb(path, need=view.resize)))
    except ImageError as error:
        return error


def answers(
    paths: Sequence[Path], prepared: Sequence[Pixels | ImageError], run: Run, classes: Sequence[str], threshold: float
) -> Iterator[Prediction]:
    """An answer for each of the prepared pictures: `run` gives the probabilities and novelty of those that could be read."""
    good = [pixels for pixels in prepared if not isinstance(pixels, ImageError)]
    rows = iter(zip(*run(np.stack(good)), strict=True)) if good else iter(())
    for path, pixels in zip(paths, prepared, strict=True):
        if isinstance(pixels, ImageError):
            yield Prediction(path, None, 0.0, False, [], pixels.as_data())
        else:
            probabilities, novelty = next(rows)
            order = np.argsort(-probabilities, kind="stable")[:TOP]
            top = [(classes[number], float(probabilities[number])) for number in order]
            yield Prediction(path, top[0][0], top[0][1], bool(novelty > threshold), top)

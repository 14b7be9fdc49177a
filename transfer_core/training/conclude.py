"""From what was learnt to a model folder: scores, refusal threshold, graph, card, and the answers that results are drawn from."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor

from transfer_core.backbones.weights import read_kept
from transfer_core.files import write_text
from transfer_core.metrics import novelty
from transfer_core.metrics.calibration import softmax
from transfer_core.metrics.intervals import Score, wilson
from transfer_core.models.folder import GRAPH, PARAMETERS, Model, this_program, write_model_folder
from transfer_core.models.graph import write_classifier
from transfer_core.models.heads import Head
from transfer_core.models.layers import at_temperature
from transfer_core.training.prepare import Prepared
from transfer_core.training.samples import RunSample

ANSWERS = "answers.jsonl"


@dataclass(frozen=True)
class Answers:
    """Samples and what was said of them: logits `[n, classes]` from a head that had not seen them."""

    samples: list[RunSample]
    logits: NDArray[np.float32]


@dataclass(frozen=True)
class Trained:
    """What a plan hands over. `state` are the backbone's parameters if they were trained, else None; `about` goes with the head's kind."""

    classes: list[str]
    head: Head
    about: dict[str, Any]
    temperature: float
    features_graph: Path | None
    state: Mapping[str, Tensor] | None
    learnt: NDArray[np.float32]
    learnt_labels: NDArray[np.int64]
    val: Answers
    test: Answers
    how_val: str
    images: int


def conclude(prepared: Prepared, trained: Trained) -> dict[str, Any]:
    """Write the model folder and the answers; gives the part of the report that tells of the model."""
    context = prepared.context
    with prepared.clock.phase(context, "evaluate"):
        reference = novelty.references(trained.learnt, trained.learnt_labels)
        threshold = novelty.threshold(reference)
        scores = {"val": _score(trained, trained.val), "test": _score(trained, trained.test)}
        model = Model(
            folder=context.folder / "model",
            classes=trained.classes,
            backbone={
                "name": prepared.info.name,
                "digest": prepared.kept.digest,
                "source": prepared.kept.source,
                "trained": trained.state is not None,
            },
            head={"kind": trained.head.kind, "features": trained.head.width, "settings": trained.head.settings()} | trained.about,
            view=prepared.view,
            calibration={"temperature": trained.temperature, "fitted_on": trained.how_val, "count": len(trained.val.samples)},
            refusal={"threshold": threshold, "refused": novelty.REFUSED, "neighbours": novelty.neighbours(len(reference))},
            scores={name: score.as_data() if score else None for name, score in scores.items()} | {"how_val": trained.how_val},
            provenance=_provenance(prepared, trained),
            graph=GRAPH if trained.features_graph is not None else None,
        )
        write_model_folder(model.folder, lambda folder: _fill(folder, model, prepared, trained, reference))
        _write_answers(context.folder / ANSWERS, trained)
    return {
        "run": str(context.folder),
        "model": str(model.folder),
        "classes": trained.classes,
        "images": len(prepared.samples),
        "val": model.scores["val"],
        "test": model.scores["test"],
        "backbone": prepared.info.name,
        "plan": context.settings.plan,
        "device": prepared.choices.device,
    }


def _fill(folder: Path, model: Model, prepared: Prepared, trained: Trained, reference: NDArray[np.float32]) -> None:
    layers = at_temperature(trained.head.layers(), trained.temperature)
    if trained.features_graph is not None:
        write_classifier(trained.features_graph, layers, reference, folder / GRAPH)
    state = trained.state if trained.state is not None else read_kept(prepared.kept)
    tensors = {f"backbone.{name}": tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    tensors |= {f"head.{name}": tensor.detach().cpu().clone() for name, tensor in trained.head.state_dict().items()}
    tensors["refusal.reference"] = torch.from_numpy(reference)
    save_file(tensors, folder / PARAMETERS)
    Model(**{**vars(model), "folder": folder}).write()


def _score(trained: Trained, answers: Answers) -> Score | None:
    """The share answered rightly; a sample of a class that was not learnt counts as wrong."""
    if not answers.samples:
        return None
    said = answers.logits.argmax(1)
    right = sum(trained.classes[number] == sample.label for number, sample in zip(said, answers.samples, strict=True))
    return wilson(right, len(answers.samples))


def _provenance(prepared: Prepared, trained: Trained) -> dict[str, Any]:
    # No path of the user's: the folder is made to be given away.
    return this_program() | {
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "project": prepared.context.project.name,
        "plan": prepared.context.settings.plan,
        "settings": prepared.context.settings.model_dump(exclude={"weights"}),
        "images": trained.images,
        "device": prepared.choices.device,
        "threads": prepared.choices.threads,
    }


def _write_answers(file: Path, trained: Trained) -> None:
    """One line a held-out picture: its class, and the calibrated probability of each class, in the order of `classes`."""
    lines: list[str] = []
    for split, answers in (("val", trained.val), ("test", trained.test)):
        probabilities = softmax(answers.logits, trained.temperature)
        for sample, row in zip(answers.samples, probabilities, strict=True):
            record = {"split": split, "path": sample.path, "relative": sample.relative, "label": sample.label}
            lines.append(json.dumps(record | {"probabilities": [round(float(p), 5) for p in row]}, ensure_ascii=False))
    write_text(file, "".join(line + "\n" for line in lines))

"""The plans better and best: the quick model, then its last stages trained from it, then all of them; each kept as far as it helps."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from transfer_core.backbones.network import load_backbone, outline
from transfer_core.features.logistic import fit_logistic
from transfer_core.models.heads import LogisticHead
from transfer_core.models.transfer_model import TransferModel
from transfer_core.training.conclude import Trained
from transfer_core.training.context import Finished
from transfer_core.training.custom import as_trained
from transfer_core.training.full import full_way, seconds_of_full
from transfer_core.training.layout import arranged
from transfer_core.training.prepare import Prepared
from transfer_core.training.quick import answered, fit_quick
from transfer_core.training.recipe import RECIPE
from transfer_core.training.refinement import Candidate, Division, divide, refine
from transfer_core.training.samples import RunSamples
from transfer_core.training.tail import checkpoint_before_training, keep_tail


def train_better(prepared: Prepared) -> Trained:
    """Make the quick model; train its last stages on four fifths; see on the rest how much of that to take; go on with all.

    The plan best then does the same with all stages, from there. What the user set apart for validation is never learned from. Where
    nothing can be held out, or is better, it is the quick model.
    """
    context, best = prepared.context, prepared.context.settings.plan == "best"
    quick = fit_quick(prepared, prepared.samples.of("train", "val"))
    division = divide(prepared.samples, context.settings.seed)
    boundary = RECIPE.boundary(prepared.info.stages, len(outline(prepared.info).stages))
    if not division.possible or (boundary == 0 and not best):
        return answered(prepared, quick)
    found = Candidate(
        _quick_model(prepared, division, ~division.held, quick, boundary),
        _quick_model(prepared, division, np.ones_like(division.held), quick, boundary),
        division.everything if division.refit else division.learn,
    )
    try:
        checkpoint_before_training(context)()
        if boundary:
            later = seconds_of_full(prepared, division, found, boundary) if best and not context.resumed else 0.0
            found = refine(prepared, division, found, keep_tail(prepared, division, found, boundary, later).way())
    except Finished:
        return answered(prepared, quick)
    if best and context.requested() != "finish":
        found = refine(prepared, division, found, full_way(prepared))
    if found.logits is None:
        return answered(prepared, quick)
    return as_trained(prepared, found.whole, quick.classes, found.learnt, division.val, found.logits)


def _quick_model(
    prepared: Prepared, division: Division, learnt: NDArray[np.bool_], quick: Trained, boundary: int
) -> TransferModel:
    """The backbone as it was pretrained, with the logistic head of those pictures that are `learnt`."""
    head = _head(prepared, division.everything, learnt, float(quick.about["strength"]), quick.classes)
    model = TransferModel(load_backbone(prepared.kept).freeze(boundary), head)
    return arranged(model.to(torch.device(prepared.choices.device)), prepared.choices.layout)


def _head(
    prepared: Prepared, samples: RunSamples, learnt: NDArray[np.bool_], strength: float, classes: list[str]
) -> LogisticHead:
    """The logistic head of those samples that are `learnt`, at the strength that the quick model chose."""
    store = prepared.store()
    features = torch.from_numpy(store.rows()[store.positions(samples.contents)])
    folds = torch.from_numpy(np.where(learnt, -1, 0).astype(np.int64))
    fit = fit_logistic(
        features,
        torch.from_numpy(samples.labels(classes)),
        len(classes),
        folds,
        strengths=(strength,),
        refit=False,
        checkpoint=prepared.context.stop_if_asked,
    )
    head = LogisticHead(features.shape[1], len(classes))
    head.load_state_dict({"weight": fit.weight, "bias": fit.bias})
    return head

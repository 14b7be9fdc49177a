"""The quick plan: features once, then a logistic head fitted by a solver. Usable within seconds, and where other plans start."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from transfer_core.features.extract import extract
from transfer_core.features.logistic import fit_logistic
from transfer_core.models.heads import LogisticHead
from transfer_core.models.layers import apply
from transfer_core.training.conclude import Answers, Trained
from transfer_core.training.folds import assign_folds, holds_out
from transfer_core.training.prepare import Prepared
from transfer_core.training.samples import RunSamples


def train_quick(prepared: Prepared) -> Trained:
    """The quick model and its answers on the test pictures."""
    return answered(prepared, fit_quick(prepared, prepared.samples))


def fit_quick(prepared: Prepared, seen: RunSamples) -> Trained:
    """Fit the head on the frozen backbone's features. Validation answers are out of fold, the head is refitted on all samples.

    Where the user gave a validation set, it is held out throughout, and the head learns from the rest alone. Features are computed of
    `seen`, which have all that is learned from; there are no answers on the test pictures yet.
    """
    context, samples = prepared.context, prepared.samples
    store = prepared.store()
    with prepared.clock.phase(context, "features") as progress:
        extract(prepared.forward, prepared.pixels, store, seen.contents, progress, context.stop_if_asked)
    rows = store.rows()
    learn = samples.of("train", "val")
    classes = samples.classes
    labels = learn.labels(classes)
    folds = assign_folds(learn, context.settings.seed)
    refit = not (learn.validation_given and holds_out(folds))
    with prepared.clock.phase(context, "head"):
        features = torch.from_numpy(rows[store.positions(learn.contents)])
        fit = fit_logistic(
            features,
            torch.from_numpy(labels),
            len(classes),
            torch.from_numpy(folds),
            refit=refit,
            checkpoint=context.stop_if_asked,
        )
        scored = folds >= 0
        logits = fit.out_of_fold.numpy()[scored]
    held_out = [sample for sample, fold in zip(learn.samples, folds, strict=True) if fold >= 0]
    learnt = np.full(len(learn), True) if refit else folds < 0
    head = LogisticHead(features.shape[1], len(classes))
    head.load_state_dict({"weight": fit.weight, "bias": fit.bias})
    return Trained(
        classes=classes,
        head=head,
        about={"strength": fit.strengths[fit.chosen]},
        temperature=fit.temperature,
        features_graph=prepared.graph.file if prepared.graph else None,
        state=None,
        learnt=features.numpy()[learnt],
        learnt_labels=labels[learnt],
        val=Answers(held_out, logits),
        test=Answers([], np.empty((0, len(classes)), np.float32)),
        how_val="held-out" if len(np.unique(folds[scored])) < 2 else "out-of-fold",
        images=int(learnt.sum()),
    )


def answered(prepared: Prepared, quick: Trained) -> Trained:
    """The quick model with its answers on the test pictures, whose features are computed where they lack."""
    context, test, store = prepared.context, prepared.samples.of("test"), prepared.store()
    if store.missing(test.contents):
        with prepared.clock.phase(context, "choose") as progress:
            extract(prepared.forward, prepared.pixels, store, test.contents, progress, context.stop_if_asked)
    logits = apply(quick.head.layers(), store.rows()[store.positions(test.contents)])
    return replace(quick, test=Answers(test.samples, logits))

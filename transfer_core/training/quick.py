"""The quick plan: features once, then a logistic head fitted by a solver. Usable within seconds, and where other plans start."""

from __future__ import annotations

import numpy as np
import torch

from transfer_core.features.extract import extract
from transfer_core.features.logistic import fit_logistic
from transfer_core.models.heads import LogisticHead
from transfer_core.models.layers import apply
from transfer_core.training.conclude import Answers, Trained
from transfer_core.training.folds import assign_folds, holds_out
from transfer_core.training.prepare import Prepared


def train_quick(prepared: Prepared) -> Trained:
    """Fit the head on the frozen backbone's features. Validation answers are out of fold, the head is refitted on all samples.

    Where the user gave a validation set, it is held out throughout, and the head learns from the rest alone.
    """
    context, samples = prepared.context, prepared.samples
    store = prepared.store()
    with prepared.clock.phase(context, "features") as progress:
        extract(prepared.forward, prepared.pixels, store, samples.contents, progress, context.stop_if_asked)
    rows = store.rows()
    learn, test = samples.of("train", "val"), samples.of("test")
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
        test=Answers(test.samples, apply(head.layers(), rows[store.positions(test.contents)])),
        how_val="held-out" if len(np.unique(folds[scored])) < 2 else "out-of-fold",
        images=int(learnt.sum()),
    )

"""Training all stages, from the pixel map: what the plan best does after the last stages."""

from __future__ import annotations

import torch

from transfer_core.i18n import _
from transfer_core.images.augmentation import GENTLE, NONE
from transfer_core.models.transfer_model import TransferModel
from transfer_core.training.compiling import compile_for_training, worth_compiling
from transfer_core.training.feeds import PixelFeed
from transfer_core.training.loop import Task
from transfer_core.training.prepare import Prepared
from transfer_core.training.recipe import FULL, Span
from transfer_core.training.refinement import Candidate, Division, Way, refining_task, seconds_of_both
from transfer_core.training.samples import RunSamples


def full_way(prepared: Prepared) -> Way:
    """How all stages are trained."""

    def task(name: str, model: TransferModel, learn: RunSamples, val: RunSamples, span: Span) -> Task:
        """Training everything on `learn`."""
        device = torch.device(prepared.choices.device)
        model.source.freeze("none")
        feeds = (
            PixelFeed(prepared.pixels, learn.contents, GENTLE, device),
            PixelFeed(prepared.pixels, val.contents, NONE, device),
        )
        settings = FULL.settings(prepared.context.settings, len(learn), span)
        if prepared.choices.compiled:
            compile_for_training(prepared.context, model)
        return refining_task(prepared, name, model, settings, learn, val, feeds)

    return Way(
        "full",
        task,
        kept=_(
            "On the {count} pictures held out, training all stages lowered the loss from {before} to {after}, so that is kept."
        ),
        left=_("Training all stages did not prove better on the pictures held out, so the model before it is kept."),
    )


def seconds_of_full(prepared: Prepared, division: Division, found: Candidate, boundary: int) -> float:
    """How long both trainings of all stages will take: by a few steps, of which nothing is kept."""
    seconds = seconds_of_both(division, found, full_way(prepared).task)
    trainings = 2 if division.refit else 1
    compiled = worth_compiling(torch.device(prepared.choices.device), seconds / trainings)
    prepared.settle(compiled=compiled, full_seconds=seconds)
    for model in (found.compared, found.whole):
        model.source.freeze(boundary)
    return seconds

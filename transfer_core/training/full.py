"""Training all stages, from the pixel map: what the plan best does after the last stages."""

from __future__ import annotations

import torch

from transfer_core.i18n import _
from transfer_core.images.augmentation import GENTLE, NONE
from transfer_core.models.transfer_model import TransferModel
from transfer_core.training.feeds import PixelFeed
from transfer_core.training.length import length_of
from transfer_core.training.loop import Task, seconds_of_step
from transfer_core.training.prepare import Prepared
from transfer_core.training.recipe import FULL
from transfer_core.training.refinement import Candidate, Division, Way
from transfer_core.training.samples import RunSamples


def full_way(prepared: Prepared) -> Way:
    """How all stages are trained."""

    def task(name: str, model: TransferModel, learn: RunSamples, val: RunSamples, trial: bool) -> Task:
        """Training everything on `learn`."""
        choices, classes = prepared.choices, prepared.samples.classes
        device, settings = torch.device(choices.device), FULL.settings(prepared.context.settings, len(learn), trial)
        model.source.freeze("none")
        return Task(
            context=prepared.context,
            settings=settings,
            model=model,
            train=PixelFeed(prepared.pixels, learn.contents, GENTLE, device),
            labels=learn.labels(classes),
            val=PixelFeed(prepared.pixels, val.contents, NONE, device),
            val_labels=val.labels(classes),
            classes=len(classes),
            batch=settings.batch_size,
            length=length_of(settings, len(learn), settings.batch_size),
            folder=prepared.context.folder / "checkpoint" / name,
            device=device,
            precision=getattr(torch, choices.precision),
            keep_best=False,
        )

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
    way = full_way(prepared)
    first = way.task("measured", found.compared, division.learn, RunSamples([]), division.refit)
    steps = first.length.total
    if division.refit:
        steps += way.task("measured", found.whole, division.everything, RunSamples([]), False).length.total
    seconds = steps * seconds_of_step(first)
    for model in (found.compared, found.whole):
        model.source.freeze(boundary)
    return seconds

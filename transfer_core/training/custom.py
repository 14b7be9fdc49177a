"""The custom plan: the user's own settings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from transfer_core.backbones.graph import export_features
from transfer_core.backbones.network import Backbone, load_backbone
from transfer_core.features.extract import BATCH, Forward, GraphForward, central, extract
from transfer_core.i18n import _
from transfer_core.images.augmentation import NONE
from transfer_core.metrics import novelty
from transfer_core.metrics.calibration import fit_temperature
from transfer_core.models.heads import Head, make_head
from transfer_core.models.layers import apply
from transfer_core.models.transfer_model import TransferModel
from transfer_core.training import checkpoint
from transfer_core.training.compiling import compile_for_training, worth_compiling
from transfer_core.training.conclude import Answers, Trained
from transfer_core.training.device import TorchForward
from transfer_core.training.feeds import PixelFeed
from transfer_core.training.layout import arranged
from transfer_core.training.length import length_of
from transfer_core.training.loop import Progress, Task, seconds_of_step, train
from transfer_core.training.prepare import Prepared
from transfer_core.training.progress import duration
from transfer_core.training.samples import RunSamples
from transfer_core.training.state import put_kept


def train_custom(prepared: Prepared) -> Trained:
    """Train by the settings; the epoch with the smallest validation loss is the result (the last, without validation)."""
    with prepared.clock.phase(prepared.context, "train") as progress:
        task = learn_together(prepared, progress)
    put_kept(task.model, checkpoint.load_best(task.folder))
    learn, val = prepared.samples.of("train"), prepared.samples.of("val")
    return as_trained(prepared, task.model, prepared.samples.classes, learn, val)


def learn_together(prepared: Prepared, progress: Progress) -> Task:
    """The part of it that all processes of the training do, each a share of every batch."""
    context = prepared.context
    torch.set_num_threads(max(1, prepared.choices.threads // context.world.here))

    def begin() -> Task:
        torch.manual_seed(context.settings.seed)
        return custom_task(prepared, prepared.samples.of("train"), prepared.samples.of("val"))

    task = _in_time(prepared, context.in_turn(begin))
    if prepared.choices.compiled:
        compile_for_training(context, task.model)
    train(task, progress)
    context.part()
    torch.set_num_threads(prepared.choices.threads)
    return task


def custom_task(prepared: Prepared, learn: RunSamples, val: RunSamples) -> Task:
    """The training that the settings describe, over the pixel map."""
    context, settings, choices, classes = prepared.context, prepared.context.settings, prepared.choices, prepared.samples.classes
    device = torch.device(choices.device)
    model = arranged(build_model(prepared, learn, classes).to(device), choices.layout)
    return Task(
        context=context,
        settings=settings,
        model=model,
        train=PixelFeed(prepared.pixels, learn.contents, settings.varied, device),
        labels=learn.labels(classes),
        val=PixelFeed(prepared.pixels, val.contents, NONE, device),
        val_labels=val.labels(classes),
        classes=len(classes),
        batch=choices.batch,
        length=length_of(settings, len(learn), choices.batch, choices.steps, context.extensions),
        folder=context.folder / "checkpoint",
        device=device,
        precision=getattr(torch, choices.precision),
    )


def _in_time(prepared: Prepared, task: Task) -> Task:
    """The same with as many steps as fit into the minutes of the settings, measured once; how long it takes is told."""
    context, settings = prepared.context, task.settings
    unsettled = bool(settings.minutes and not prepared.choices.steps)  # also of a run that was killed while it measured
    if context.resumed and not unsettled:
        return task
    seconds = seconds_of_step(task)
    if unsettled:
        steps = max(1, round(60 * settings.minutes / seconds))
        prepared.settle(steps=steps)
        task = replace(task, length=length_of(settings, len(task.labels), task.batch, steps, context.extensions))
    seconds *= task.length.total
    prepared.settle(compiled=worth_compiling(task.device, seconds))
    context.emit("notice", message=_("Training takes about {time}.").format(time=duration(seconds)))
    return task


def build_model(prepared: Prepared, train: RunSamples, classes: list[str]) -> TransferModel:
    """The backbone frozen as the settings say, with their head; a head that can begin from the frozen features does."""
    settings = prepared.context.settings
    own = {"widths": [settings.hidden_width], "dropout": settings.dropout} if settings.head == "mlp" else {}
    head = make_head(settings.head, prepared.info.feature_count, len(classes), **own)
    if type(head).fit is not Head.fit:
        features = frozen_features(prepared, train)
        head.fit(torch.from_numpy(features), torch.from_numpy(train.labels(classes)))
    return TransferModel(load_backbone(prepared.kept).freeze(settings.freeze), head)


def frozen_features(prepared: Prepared, samples: RunSamples) -> np.ndarray:
    """Features `[n, width]` of the backbone as it was pretrained, from the store or computed into it."""
    store = prepared.store()
    extract(prepared.forward, prepared.pixels, store, samples.contents, checkpoint=prepared.context.stop_if_asked)
    return np.asarray(store.rows()[store.positions(samples.contents)])


def as_trained(
    prepared: Prepared,
    model: TransferModel,
    classes: list[str],
    train: RunSamples,
    val: RunSamples,
    val_logits: NDArray[np.float32] | None = None,
) -> Trained:
    """The model as a graph, and its answers. `val_logits [n, classes]` are those of a model that did not see `val`, where this one did."""
    context = prepared.context
    model.eval().cpu()
    head = model.target
    assert isinstance(head, Head)
    graph = prepared.graph.file if prepared.graph else None
    forward, state = prepared.forward, None
    if model.source.boundary < len(model.source.stages):
        with prepared.clock.phase(context, "graph"):
            graph, forward = trained_graph(prepared, model.source)
            state = dict(model.source.network.state_dict())
    with prepared.clock.phase(context, "choose") as progress:
        shown = RunSamples(spread(train, novelty.REFERENCES))
        test = prepared.samples.of("test").samples
        asked = RunSamples([*shown.samples, *test, *(val.samples if val_logits is None else ())])
        features = run_frozen(prepared, forward, asked, progress)
    learnt, rest = features[: len(shown)], features[len(shown) :]
    logits = apply(head.layers(), rest)
    test_logits, val_logits = logits[: len(test)], logits[len(test) :] if val_logits is None else val_logits
    return Trained(
        classes=classes,
        head=head,
        about={},
        temperature=fit_temperature(val_logits, val.labels(classes)),
        features_graph=graph,
        state=state,
        learnt=learnt,
        learnt_labels=shown.labels(classes),
        val=Answers(val.samples, val_logits),
        test=Answers(test, test_logits),
        how_val="held-out",
        images=len(train),
    )


def spread(samples: RunSamples, most: int) -> list[Any]:
    """At most `most` of the samples, taken evenly."""
    places = np.unique(np.linspace(0, len(samples) - 1, min(most, len(samples))).astype(int))
    return [samples.samples[place] for place in places]


def trained_graph(prepared: Prepared, backbone: Backbone) -> tuple[Path | None, Forward]:
    """The trained backbone as a graph, or, where the pretrained one could not be made into one either, in torch."""
    graph = prepared.context.folder / "checkpoint" / "features.onnx"
    if prepared.graph is None:
        return None, TorchForward(backbone, prepared.choices.device, prepared.view.crop)
    export_features(backbone.to(memory_format=torch.contiguous_format), prepared.view.crop, graph)
    return graph, GraphForward(graph, prepared.choices.threads)


def run_frozen(prepared: Prepared, forward: Forward, samples: RunSamples, progress: Any) -> np.ndarray:
    """Features `[n, width]` of the samples."""
    rows = [np.empty((0, prepared.info.feature_count), np.float32)]
    for start in range(0, len(samples), BATCH):
        prepared.context.stop_if_asked()
        contents = [sample.content for sample in samples.samples[start : start + BATCH]]
        rows.append(forward(central(prepared.pixels, contents)))
        progress(start + len(contents), len(samples))
    return np.concatenate(rows)

"""The custom plan: the user's own settings, trained by one explicit loop."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from transfer_core.backbones.graph import export_features
from transfer_core.backbones.network import Backbone, load_backbone
from transfer_core.features.extract import BATCH, Forward, GraphForward, central, extract
from transfer_core.images.augment import augment, plain
from transfer_core.metrics import novelty
from transfer_core.metrics.calibration import fit_temperature
from transfer_core.models.heads import Head, make_head
from transfer_core.models.layers import apply
from transfer_core.models.transfer_model import TransferModel
from transfer_core.training import checkpoint
from transfer_core.training.checkpoint import Checkpoint
from transfer_core.training.conclude import Answers, Trained
from transfer_core.training.device import TorchForward
from transfer_core.training.prepare import Prepared
from transfer_core.training.samples import RunSamples
from transfer_core.training.settings import RunSettings

WARM_UP = 0.05  # of all steps
WEIGHT_DECAY = 0.01
# The head starts from nothing and the backbone from all of ImageNet: they don't take steps of one size.
BACKBONE_RATE = 0.1
BATCH_TO_SCORE = 32


def train_custom(prepared: Prepared) -> Trained:
    """Train by the settings, epoch by epoch; the epoch with the smallest validation loss is the result (the last, without validation)."""
    context, settings = prepared.context, prepared.context.settings
    folder = context.folder / "checkpoint"
    classes = prepared.samples.classes
    train, val = prepared.samples.of("train"), prepared.samples.of("val")
    train_labels, val_labels = train.labels(classes), val.labels(classes)
    steps_per_epoch = math.ceil(len(train) / settings.batch_size)

    with prepared.clock.phase(context, "train") as progress:
        torch.manual_seed(settings.seed)
        device = torch.device(prepared.choices.device)
        model = build_model(prepared, train, classes).to(device).to(memory_format=torch.channels_last)
        optimiser = build_optimiser(model, settings)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimiser, schedule(steps_per_epoch * settings.epochs))
        first, best_loss = 1, math.inf
        if (last := checkpoint.load_last(folder)) is not None:
            restore(last, model, optimiser, scheduler)
            first, best_loss = last.epoch + 1, last.values["best_loss"]

        for epoch in range(first, settings.epochs + 1):
            # Each epoch draws from a generator of its own, so that one resumed from a checkpoint sees what it would have seen.
            generator = torch.Generator().manual_seed(settings.seed * 1_000_003 + epoch)
            torch.manual_seed(settings.seed * 1_000_003 + epoch)
            started = time.perf_counter()
            losses, hits, seen = 0.0, 0, 0
            model.train()
            for batch in shuffled(len(train), settings.batch_size, generator):
                context.stop_if_asked()
                squares = read_squares(prepared, train, batch, device)
                pictures = (
                    augment(squares, prepared.view.crop, generator) if settings.augment else plain(squares, prepared.view.crop)
                )
                target = torch.from_numpy(train_labels[batch]).to(device)
                logits = model(model.source.normalise(pictures))
                loss = functional.cross_entropy(logits, target)
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                optimiser.step()
                scheduler.step()
                losses += loss.item() * len(batch)
                hits += int((logits.argmax(1) == target).sum().item())
                seen += len(batch)
                progress((epoch - 1) * len(train) + seen, settings.epochs * len(train))

            val_logits = score(prepared, model, val, len(classes), device)
            val_loss = float(functional.cross_entropy(val_logits, torch.from_numpy(val_labels))) if len(val) else None
            val_accuracy = float((val_logits.argmax(1).numpy() == val_labels).mean()) if len(val) else None
            best = val_loss is None or val_loss < best_loss
            best_loss = min(best_loss, val_loss) if val_loss is not None else best_loss
            context.emit(
                "epoch",
                step=epoch * steps_per_epoch,
                epoch=epoch,
                train_loss=losses / seen,
                train_accuracy=hits / seen,
                val_loss=val_loss,
                val_accuracy=val_accuracy,
                learning_rate=scheduler.get_last_lr()[0],
                seconds=time.perf_counter() - started,
            )
            # Told first, kept second: killed in between, the epoch is told again, and readers drop the first telling.
            state = capture(epoch, epoch * steps_per_epoch, model, optimiser, scheduler, best_loss)
            checkpoint.save(folder, state, best)
            if context.requested() == "finish":
                break

    return hand_over(prepared, model, classes, train, val, folder)


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


def build_optimiser(model: TransferModel, settings: RunSettings) -> torch.optim.AdamW:
    """AdamW (Loshchilov and Hutter, 2019): the head at the rate of the settings, the backbone at a tenth; norms and biases don't decay."""
    head = [
        parameter for name, parameter in model.named_parameters() if not name.startswith("source.") and parameter.requires_grad
    ]
    backbone = [parameter for parameter in model.source.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in parameters if (p.ndim > 1) == decays], "lr": rate, "weight_decay": WEIGHT_DECAY if decays else 0.0}
        for parameters, rate in ((head, settings.learning_rate), (backbone, settings.learning_rate * BACKBONE_RATE))
        for decays in (True, False)
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]], foreach=False)


def schedule(steps: int) -> Any:
    """The factor of the rate at each step: a linear warm-up, then a cosine to zero."""
    warm_up = max(1, round(WARM_UP * steps))

    def factor(step: int) -> float:
        if step < warm_up:
            return (step + 1) / warm_up
        return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warm_up) / max(1, steps - warm_up))))

    return factor


def shuffled(count: int, batch_size: int, generator: torch.Generator) -> Iterator[np.ndarray]:
    """The numbers 0 to `count` in random order, a batch at a time."""
    order = torch.randperm(count, generator=generator).numpy()
    for start in range(0, count, batch_size):
        yield order[start : start + batch_size]


def read_squares(prepared: Prepared, samples: RunSamples, batch: np.ndarray, device: torch.device) -> Tensor:
    """Pixels uint8 `[n, resize, resize, 3]` of the samples at these places."""
    positions = prepared.pixels.positions(samples.samples[place].content for place in batch)
    squares: Any = prepared.pixels.rows()
    return torch.from_numpy(np.ascontiguousarray(squares[positions])).to(device)


@torch.inference_mode()
def score(prepared: Prepared, model: TransferModel, samples: RunSamples, classes: int, device: torch.device) -> Tensor:
    """Logits `[n, classes]`, on the CPU, of the plain pictures."""
    model.eval()
    logits = []
    for start in range(0, len(samples), BATCH_TO_SCORE):
        prepared.context.stop_if_asked()
        places = np.arange(start, min(start + BATCH_TO_SCORE, len(samples)))
        pictures = plain(read_squares(prepared, samples, places, device), prepared.view.crop)
        logits.append(model(model.source.normalise(pictures.contiguous(memory_format=torch.channels_last))).float().cpu())
    return torch.cat(logits) if logits else torch.empty(0, classes)


def capture(epoch: int, step: int, model: TransferModel, optimiser: Any, scheduler: Any, best_loss: float) -> Checkpoint:
    """The state of the loop as a checkpoint: what is trained, the optimiser's moments, and where the schedule is."""
    tensors = {f"model.{name}": tensor.detach().cpu().contiguous() for name, tensor in trained_state(model).items()}
    for number, moments in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{number}.{name}": torch.as_tensor(value).cpu().contiguous() for name, value in moments.items()}
    values = {"best_loss": best_loss if math.isfinite(best_loss) else None, "scheduler": scheduler.last_epoch}
    return Checkpoint(epoch, step, tensors, values)


def restore(state: Checkpoint, model: TransferModel, optimiser: Any, scheduler: Any) -> None:
    """Put the loop back to a checkpoint."""
    load_trained(model, state.tensors)
    moments: dict[int, dict[str, Tensor]] = {}
    for name, tensor in state.tensors.items():
        if name.startswith("optimiser."):
            _prefix, number, field = name.split(".", 2)
            moments.setdefault(int(number), {})[field] = tensor
    optimiser.load_state_dict(optimiser.state_dict() | {"state": moments})
    # The scheduler counts its own steps; the rates follow from the count.
    scheduler.last_epoch = state.values["scheduler"]
    for group, base, factor in zip(optimiser.param_groups, scheduler.base_lrs, scheduler.lr_lambdas, strict=True):
        group["lr"] = base * factor(scheduler.last_epoch)
    scheduler._last_lr = [group["lr"] for group in optimiser.param_groups]
    state.values["best_loss"] = math.inf if state.values["best_loss"] is None else state.values["best_loss"]


def trained_state(model: TransferModel) -> dict[str, Tensor]:
    """Parameters that are trained; the frozen ones are those of the kept weights, and every statistic of BatchNorm too."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def load_trained(model: TransferModel, tensors: dict[str, Tensor]) -> None:
    """Put the trained parameters of a checkpoint into the model."""
    parameters = dict(model.named_parameters())
    with torch.no_grad():
        for name, tensor in tensors.items():
            if name.startswith("model."):
                parameters[name.removeprefix("model.")].copy_(tensor)


def hand_over(
    prepared: Prepared, model: TransferModel, classes: list[str], train: RunSamples, val: RunSamples, folder: Path
) -> Trained:
    """The best epoch as a graph, and its answers on what was held out, given by that graph: what the user gets is what is scored."""
    load_trained(model, checkpoint.load_best(folder))
    return as_trained(prepared, model, classes, train, val)


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
        asked = RunSamples([*shown.samples, *val.samples, *prepared.samples.of("test").samples])
        features = run_frozen(prepared, forward, asked, progress)
    learnt, rest = features[: len(shown)], features[len(shown) :]
    logits = apply(head.layers(), rest)
    val_logits, test_logits = logits[: len(val)] if val_logits is None else val_logits, logits[len(val) :]
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
        test=Answers(prepared.samples.of("test").samples, test_logits),
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

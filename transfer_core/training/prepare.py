"""What every plan begins with: the pictures, the backbone's weights and graph, and decoded pixels."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from transfer_core.backbones.catalogue import BackboneInfo, backbone_info
from transfer_core.backbones.download import Progress
from transfer_core.backbones.graph import NO_GRAPH, Graph, feature_graph
from transfer_core.backbones.weights import KeptWeights, obtain
from transfer_core.data.file_facts import content_of
from transfer_core.data.layout import check_folder
from transfer_core.data.looking import look
from transfer_core.data.project import Project
from transfer_core.data.scan import check_trainable, missing_folder, scan
from transfer_core.errors import BackboneError, RunError
from transfer_core.features.extract import FeatureStore, Forward, GraphForward
from transfer_core.i18n import _, ngettext
from transfer_core.images.pixels import PixelMap
from transfer_core.images.view import View
from transfer_core.training.choices import (
    Choices,
    check_card,
    choose_batch,
    choose_device,
    choose_precision,
    choose_threads,
    chosen_size,
    resize_for,
)
from transfer_core.training.context import Context
from transfer_core.training.progress import Clock
from transfer_core.training.room import check_space, make_room
from transfer_core.training.samples import RunSamples


@dataclass
class Prepared:
    """A run with everything at hand to train."""

    context: Context
    clock: Clock
    choices: Choices
    samples: RunSamples
    info: BackboneInfo
    kept: KeptWeights
    graph: Graph | None  # None where none can be made: the network is too large for one file
    pixels: PixelMap
    forward: Forward  # the frozen backbone: in ONNX Runtime on processors, in torch on a graphics card or without a graph

    @property
    def view(self) -> View:
        """What the backbone looks at."""
        return self.pixels.view

    def settle(self, **values: Any) -> None:
        """Change what is kept to, from here on and by a worker that resumes the run."""
        self.choices = replace(self.choices, **values)
        if self.context.world.first:
            self.choices.write(self.context.folder)

    def store(self) -> FeatureStore:
        """The project's features of this backbone."""
        folder = self.context.project.cache / "features"
        return FeatureStore(folder, self.info.name, self.kept.digest, self.view, self.info.feature_count)


def prepare(context: Context, clock: Clock) -> Prepared:
    """Bring a run to where training begins. What an earlier worker of the run settled is kept to."""
    context.settings.check_fit(backbone_info(context.settings.backbone))
    samples = RunSamples.read(context.folder) or _look_for_samples(context, clock)
    kept = _weights(context, clock)
    info = backbone_info(kept.backbone)
    choices = Choices.read(context.folder)
    begun = choices is not None
    size = choices.size if choices else chosen_size(context.settings) or info.crop
    graph = None
    if choices is None or choices.graph:
        with clock.phase(context, "graph") as progress:
            graph = graph_or_none(context, kept, size, progress)
    if choices is None:
        settings = context.settings
        device = choose_device(settings)
        choices = Choices(
            device,
            choose_threads(settings),
            kept.digest,
            size,
            resize_for(info, size),
            batch=choose_batch(settings, device, len(samples.of("train"))),
            precision=choose_precision(settings, device),
            graph=graph is not None,
        )
        if device == "cuda" and settings.plan != "quick":
            # It needs torchvision, which a quick run does without.
            from transfer_core.training.layout import choose_layout

            choices = replace(choices, layout=choose_layout(info, choices.precision))
        choices.write(context.folder)
    if choices.device == "cuda":
        check_card(_("This run began on a graphics card: resume it where there is one, or start it again on the processor."))
    torch.set_num_threads(choices.threads)
    pixels = PixelMap(context.project.cache / "pixels", View(choices.size, choices.resize))
    forward = (
        _torch_forward(kept, choices) if graph is None or choices.device == "cuda" else GraphForward(graph.file, choices.threads)
    )
    with ThreadPoolExecutor(1) as ahead:
        if isinstance(forward, GraphForward) and context.settings.plan == "quick" and pixels.missing(samples.contents):
            # Loading takes as long as decoding a few dozen pictures, and leaves a core free for that meanwhile.
            ahead.submit(forward.load)
        samples = _decode(context, clock, choices, samples, pixels, begun)
    return Prepared(context, clock, choices, samples, info, kept, graph, pixels, forward)


def _look_for_samples(context: Context, clock: Clock) -> RunSamples:
    project = context.project
    for folder in project.missing_sources():
        if project.table.count():
            raise missing_folder(folder)
        check_folder(folder)
    with clock.phase(context, "scan") as progress:
        scan(project, progress, context.stop_if_asked)
    check_trainable(project)
    with clock.phase(context, "look") as progress:
        look(project, choose_threads(context.settings), progress, context.stop_if_asked)
    check_trainable(project)
    samples = RunSamples.of_project(project)
    samples.write(context.folder)
    _tell_what_was_left_out(context, project)
    return samples


def _tell_what_was_left_out(context: Context, project: Project) -> None:
    count = project.table.count(state="out")
    if count:
        first = project.table.left_out(limit=3)
        named = "; ".join(f"{sample.relative}: {sample.reason}" for sample in first)
        context.emit(
            "notice",
            message=ngettext("{count} file was left out ({named}).", "{count} files were left out ({named}).", count).format(
                count=count, named=named + ("; …" if count > len(first) else "")
            ),
        )
    for counts in project.table.classes():
        if counts.val and not counts.train:
            context.emit(
                "notice",
                message=_(
                    "The class {label} has pictures in the validation set alone, and nothing to learn from: it is left out."
                ).format(label=counts.label),
            )
        if counts.total - counts.test == 1:
            context.emit(
                "notice",
                message=_(
                    "The class {label} has a single picture, so nothing can be said about how well it is recognised."
                ).format(label=counts.label),
            )


def _weights(context: Context, clock: Clock) -> KeptWeights:
    settings = context.settings
    with clock.phase(context, "weights") as progress:
        file = Path(settings.weights).expanduser() if settings.weights else None
        kept = obtain(settings.backbone, file, progress, _asked_to_stop(context))
    context.stop_if_asked()
    choices = Choices.read(context.folder)
    if choices and choices.digest != kept.digest:
        raise RunError(
            _("The weights of {backbone} are not those this run began with.").format(backbone=settings.backbone),
            code="other-weights",
            fix=_("Bring the earlier weights back, or start a new run."),
        )
    return kept


def _torch_forward(kept: KeptWeights, choices: Choices) -> Forward:
    # Torchvision loads for as long as torch itself, and a run through a graph has no need of it.
    from transfer_core.backbones.network import load_backbone
    from transfer_core.training.device import TorchForward

    return TorchForward(load_backbone(kept), choices.device, choices.size)


def graph_or_none(context: Context, kept: KeptWeights, size: int, progress: Progress | None = None) -> Graph | None:
    """The backbone's graph, or None where it can't be made, which is told: torch does the same more slowly."""
    try:
        return feature_graph(kept, progress, size)
    except BackboneError as error:
        if error.code not in NO_GRAPH:
            raise
        context.emit("notice", message=_("{reason} Torch is used in its place, which is slower.").format(reason=error.message))
        return None


def _asked_to_stop(context: Context) -> Callable[[], bool]:
    return lambda: context.requested() == "stop"


def _check_unchanged(samples: RunSamples, lacking: list[str], checkpoint: Callable[[], None]) -> None:
    """Raise RunError for a file that is not the picture any more with which the run began, of those that are to be decoded again."""
    first = {source.content: source for source in reversed(samples.sources)}  # of several, the one that is decoded
    for source in (first[content] for content in lacking):
        checkpoint()
        if not source.path.is_file() or content_of(source.path.read_bytes()) != source.content:
            raise RunError(
                _("{file} was changed or is gone since this training began.").format(file=source.path),
                code="picture-changed",
                file=source.path,
                fix=_("Bring the picture back and resume, or start a new training."),
            )


def _decode(context: Context, clock: Clock, choices: Choices, samples: RunSamples, pixels: PixelMap, begun: bool) -> RunSamples:
    """Decode what is not in the pixel map yet; pictures that turn out broken leave the run, and the project's table says why.

    A run that was `begun` before needs the same pictures again.
    """
    with clock.phase(context, "decode") as progress:
        lacking = pixels.missing(samples.contents)
        if begun:
            _check_unchanged(samples, lacking, context.stop_if_asked)
        make_room(context, len(lacking) * pixels.row_bytes)
        check_space(pixels, len(lacking), _("The decoded pictures need {need} MB, and {free} MB are free."))
        failed = pixels.decode(samples.sources, choices.threads, progress, context.stop_if_asked)
    if not failed:
        return samples
    reasons = {source.content: error for source, error in failed}
    context.project.table.mark_broken(reasons.items())
    for error in list(reasons.values())[:5]:
        context.emit("notice", message=_("Left out: {reason}").format(reason=error))
    check_trainable(context.project)
    left = samples.without(reasons.keys())
    left.write(context.folder)
    return left

"""The composition that the package is about: a source backbone, an adapter, and a target head or network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Self

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn import functional

from transfer_core.backbones.catalogue import backbone_info
from transfer_core.backbones.graph import export, export_features
from transfer_core.backbones.network import Backbone, FromPixels, Frozen, load_backbone, outline
from transfer_core.backbones.unknown import own_backbone
from transfer_core.backbones.weights import KeptWeights, obtain
from transfer_core.errors import ModelError
from transfer_core.i18n import _
from transfer_core.images.view import Pixels, View
from transfer_core.metrics import novelty
from transfer_core.models.folder import GRAPH, PARAMETERS, Model, this_program, write_model_folder
from transfer_core.models.graph import write_answers, write_classifier
from transfer_core.models.heads import Head, LinearHead, make_head
from transfer_core.models.layers import at_temperature
from transfer_core.models.predict import BATCH, Prediction, answers, prepare


class TransferModel(nn.Module):
    """What was learned on the source, put to work on the target.

    `source` is a backbone, kept weights, a backbone's name (weights that are here, else torchvision's are fetched), or a network
    of your own, which is told in stages by watching it (`backbones.unknown.own_backbone`).
    `adapter` maps the source's features `[N, D]` to what the target takes: None leaves them as they are, a number is a linear layer to so
    many features, and a module is your own.
    `target` is a number of classes, their names, a head of `models.heads`, or a module of your own: features in, logits out.

    Pictures go through source, adapter and target in this order:

    >>> import torch
    >>> from transfer_core import TransferModel
    >>> from transfer_core.backbones.catalogue import backbone_info
    >>> from transfer_core.backbones.network import build_backbone
    >>> model = TransferModel(build_backbone(backbone_info("mobilenet_v3_small")), target=["cat", "dog", "none of both"])
    >>> pixels = torch.rand(2, 3, 224, 224)  # RGB in 0..1
    >>> model(model.source.normalise(pixels)).shape
    torch.Size([2, 3])

    Only the head learns, then the last two stages as well, then everything but the stem:

    >>> [parameter.numel() for parameter in model.freeze("all").parameters_to_train()]
    [3072, 3]
    >>> [stage.name for stage, parameters in model.freeze(4).source.parameter_groups()]
    ['stage4', 'stage5']
    >>> model.freeze(["stem"]).source.boundary
    1

    It is kept as a model folder, which every tool of ours answers from, and comes back from one:

    >>> import tempfile
    >>> folder = model.save(Path(tempfile.mkdtemp()) / "model")
    >>> TransferModel.load(folder).classes
    ['cat', 'dog', 'none of both']
    """

    reference: Tensor

    def __init__(
        self,
        source: Backbone | KeptWeights | nn.Module | str,
        target: nn.Module | Sequence[str] | int,
        adapter: nn.Module | int | None = None,
    ):
        super().__init__()
        self.source = _backbone(source)
        self.adapter: nn.Module = _adapter(adapter, self.source.feature_count)
        self.target: nn.Module = target if isinstance(target, nn.Module) else self._linear(target)
        self.classes = _class_names(target)
        self.temperature, self.threshold = 1.0, NEVER_REFUSES
        self.register_buffer("reference", torch.zeros(1, self._width()), persistent=False)
        self.view = View(self.source.info.crop, self.source.info.resize)
        self.layout = torch.channels_last  # of pictures that it is trained on; faster on processors

    def forward(self, pictures: Tensor) -> Tensor:
        """Normalised float pictures `[N, 3, H, W]` to what the target gives; for a head logits `[N, classes]`."""
        answers: Tensor = self.target(self.features(pictures))
        return answers

    def features(self, pictures: Tensor) -> Tensor:
        """What the target is given: the source's pooled features, adapted."""
        adapted: Tensor = self.adapter(self.source(pictures))
        return adapted

    def predict(self, paths: Iterable[Path | str]) -> Iterator[Prediction]:
        """An answer for each picture, in order; one that can't be read is answered with its error. Memory: one batch.

        In torch, on the model's device; `models.predict.Predictor` gives the same from a model folder and needs no torch.
        """
        pending = (Path(path) for path in paths)
        classes = self.classes or [str(number) for number in range(self._class_count())]
        while batch := list(islice(pending, BATCH)):
            prepared = [prepare(path, self.view) for path in batch]
            yield from answers(batch, prepared, self.answer, classes, self.threshold)

    @torch.inference_mode()
    def answer(self, pixels: Pixels) -> tuple[np.ndarray, np.ndarray]:
        """Calibrated probabilities `[n, classes]` and novelty `[n]` of prepared pixels uint8 `[n, crop, crop, 3]`."""
        training = self.training
        try:
            self.eval()
            device = self.source.scale.device
            pictures = torch.from_numpy(pixels).to(device).permute(0, 3, 1, 2).float() / 255
            features = self.features(self.source.normalise(pictures))
            probabilities = functional.softmax(self.target(features) / self.temperature, dim=1)
            similar = functional.normalize(features, dim=1, eps=1e-12) @ self.reference.T
            near = similar.topk(novelty.neighbours(len(self.reference)), dim=1).values.mean(1)
        finally:
            self.train(training)
        return probabilities.float().cpu().numpy(), (1 - near).float().cpu().numpy()

    def freeze(self, frozen: Frozen) -> Self:
        """Freeze "all" of the source, "none", all but its "last-stage", a number of its stages, or what is named.

        Adapter and target always learn. Raises BackboneError for what the source does not have.
        """
        self.source.freeze(frozen)
        return self

    def parameters_to_train(self) -> list[nn.Parameter]:
        """The parameters that learn, for an optimiser."""
        return [parameter for parameter in self.parameters() if parameter.requires_grad]

    def refuse(self, features: Tensor, labels: Tensor) -> Self:
        """Let it answer "none of these" to pictures unlike those with these features `[N, width]` and labels `[N]`."""
        reference = novelty.references(features.detach().cpu().numpy(), labels.cpu().numpy())
        self.reference = torch.from_numpy(reference).to(self.reference.device)
        self.threshold = novelty.threshold(reference)
        return self

    def save(self, folder: Path | str, classes: Sequence[str] | None = None) -> Path:
        """Write a model folder, whole or not at all, and give its path. `classes` names what the target tells apart.

        Parameters of modules of your own are kept under their names, the modules are not: give them to `load` again.
        Raises ModelError without names of the classes, BackboneError where the graph can't be made, StorageError.
        """
        names = list(classes) if classes is not None else self.classes
        count = self._class_count()
        if len(names) != count:
            raise ModelError(
                _("The target tells {count} classes apart, and {given} names are given.").format(count=count, given=len(names)),
                code="class-names",
                fix=_("Give as many names: model.save(folder, classes=[...])."),
            )
        self.classes = names
        model = Model(
            folder=Path(folder),
            classes=names,
            backbone={
                "name": self.source.info.name,
                "digest": "",
                "source": "",
                "trained": True,
                "own": not self.source.info.family,
            },
            head=self._head_data(),
            view=self.view,
            calibration={"temperature": self.temperature, "fitted_on": "", "count": 0},
            refusal={
                "threshold": self.threshold,
                "refused": novelty.REFUSED if self.threshold < NEVER_REFUSES else 0.0,
                "neighbours": novelty.neighbours(len(self.reference)),
            },
            scores={"val": None, "test": None, "how_val": ""},
            provenance=this_program(),
            adapter=self._adapter_data(),
        )
        write_model_folder(model.folder, lambda building: self._fill(building, model))
        return model.folder

    @classmethod
    def load(
        cls,
        folder: Path | str,
        source: Backbone | nn.Module | None = None,
        target: nn.Module | None = None,
        adapter: nn.Module | None = None,
    ) -> TransferModel:
        """The model in a folder, in eval mode on the CPU, ready to answer or to be trained on.

        Where a source, target or adapter of your own was saved, give one that is built alike: its parameters are taken from the folder.
        Nothing is imported or run by what a file says. Raises ModelError.
        """
        model = Model.read(Path(folder))
        tensors = _read_parameters(model.folder / PARAMETERS)
        kind, width = str(model.head.get("kind")), int(model.head.get("features", 0))
        needed = {
            "source": bool(model.backbone.get("own")) and source is None,
            "adapter": model.adapter.get("kind") == OWN and adapter is None,
            "target": kind == OWN and target is None,
        }
        if any(needed.values()):
            raise ModelError(
                _("This model has parts of your own: {parts}.").format(
                    parts=", ".join(name for name, own in needed.items() if own)
                ),
                code="own-module",
                file=model.folder,
                fix=_("Give modules that are built alike: TransferModel.load(folder, target=...)."),
            )
        if adapter is None and model.adapter.get("kind") == "linear":
            adapter = nn.Linear(int(model.adapter["from"]), width)
        if target is None:
            target = make_head(kind, width, len(model.classes), **model.head.get("settings", {}))
        backbone = source if source is not None else outline(backbone_info(str(model.backbone["name"])))
        made = cls(backbone, target, adapter)
        made._take(tensors, model.folder)
        made.classes, made.view = model.classes, model.view
        made.temperature = float(model.calibration.get("temperature", 1.0))
        made.threshold = float(model.refusal["threshold"])
        return made.eval()

    def _take(self, tensors: Mapping[str, Tensor], folder: Path) -> None:
        """Parameters of every part from a model folder's; raises ModelError for what does not fit."""
        self.source.load(_under("backbone.", tensors))
        for prefix, part in (("adapter.", self.adapter), ("head.", self.target)):
            try:
                part.load_state_dict(_under(prefix, tensors))
            except RuntimeError as error:
                raise ModelError(
                    _("The parameters in {folder} don't fit: {reason}.").format(folder=folder, reason=error),
                    code="parameters-mismatch",
                    file=folder / PARAMETERS,
                    fix=_("Give modules that are built as those were that were saved."),
                ) from error
        if "refusal.reference" in tensors:
            self.reference = tensors["refusal.reference"].float()

    def _fill(self, folder: Path, model: Model) -> None:
        device, training = self.source.scale.device, self.training
        self.cpu().eval()
        try:
            self._write_graph(folder / GRAPH)
            tensors = {f"backbone.{name}": tensor for name, tensor in self.source.network.state_dict().items()}
            tensors |= {f"adapter.{name}": tensor for name, tensor in self.adapter.state_dict().items()}
            tensors |= {f"head.{name}": tensor for name, tensor in self.target.state_dict().items()}
            tensors["refusal.reference"] = self.reference
            safetensors.torch.save_file(
                {name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}, folder / PARAMETERS
            )
        finally:
            self.to(device).train(training)
        Model(**{**vars(model), "folder": folder}).write()

    def _write_graph(self, file: Path) -> None:
        reference = self.reference.numpy()
        if isinstance(self.target, Head) and isinstance(self.adapter, nn.Identity):
            features = file.with_name("features.onnx")
            export_features(self.source, self.view.crop, features)
            write_classifier(features, at_temperature(self.target.layers(), self.temperature), reference, file)
            features.unlink()
            return
        import onnx

        composed = _Composed(self)
        data = export(composed, type(self.target).__name__, self.view.crop, ["features", "logits"])
        write_answers(onnx.load_from_string(data), self._class_count(), reference, file)

    def _width(self) -> int:
        """How many features the target is given."""
        with torch.no_grad():
            return int(self.adapter.cpu()(torch.zeros(1, self.source.feature_count)).shape[1])

    @torch.no_grad()
    def _class_count(self) -> int:
        if isinstance(self.target, Head):
            return self.target.classes
        training = self.target.training
        made = self.target.eval()(torch.zeros(1, self.reference.shape[1], device=self.source.scale.device))
        self.target.train(training)
        return int(made.shape[1])

    def _linear(self, target: Sequence[str] | int) -> LinearHead:
        return LinearHead(self._width(), target if isinstance(target, int) else len(target))

    def _head_data(self) -> dict[str, Any]:
        width = self.reference.shape[1]
        if not isinstance(self.target, Head):
            return {"kind": OWN, "features": width}
        return {"kind": self.target.kind, "features": width, "settings": self.target.settings()}

    def _adapter_data(self) -> dict[str, Any]:
        if isinstance(self.adapter, nn.Identity):
            return {"kind": "identity"}
        if type(self.adapter) is nn.Linear:
            return {"kind": "linear", "from": self.adapter.in_features}
        return {"kind": OWN}


OWN = "own"
NEVER_REFUSES = 2.0  # novelty is at most that


class _Composed(nn.Module):
    """A whole model for its graph: pixels to adapted features and calibrated logits."""

    def __init__(self, model: TransferModel):
        super().__init__()
        self.model = model
        self.from_pixels = FromPixels(model.source)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        features = self.model.adapter(self.from_pixels(pixels)[-1])
        return features, self.model.target(features) / self.model.temperature


def _backbone(source: Backbone | KeptWeights | nn.Module | str) -> Backbone:
    if isinstance(source, Backbone):
        return source
    if isinstance(source, nn.Module):
        return own_backbone(source)
    return load_backbone(source if isinstance(source, KeptWeights) else obtain(source))


def _adapter(adapter: nn.Module | int | None, width: int) -> nn.Module:
    if isinstance(adapter, int):
        return nn.Linear(width, adapter)
    return nn.Identity() if adapter is None else adapter


def _class_names(target: nn.Module | Sequence[str] | int) -> list[str]:
    if isinstance(target, int):
        return [str(number) for number in range(target)]
    if isinstance(target, Head):
        return [str(number) for number in range(target.classes)]
    return [] if isinstance(target, nn.Module) else list(target)


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _read_parameters(file: Path) -> dict[str, Tensor]:
    try:
        return safetensors.torch.load_file(file)
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelError(
            _("{file} can't be read: {reason}.").format(file=file, reason=error), code="broken-model", file=file
        ) from error

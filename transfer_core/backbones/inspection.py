"""A file of weights that a user brings, looked at before anything runs: which backbone it fits, how well, and what forbids it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transfer_core.backbones.catalogue import BackboneInfo, backbone_info, is_counter
from transfer_core.backbones.match import Match, Shapes, differences, fitting, match_names, without_prefixes
from transfer_core.backbones.published import published_as
from transfer_core.backbones.state_dict import State, read_state_dict
from transfer_core.errors import WeightsError
from transfer_core.files import digest_of
from transfer_core.i18n import _

MODEL_PARAMETERS = "model.safetensors"  # in a model folder of ours


@dataclass(frozen=True)
class Inspection:
    """What a file of weights is good for."""

    file: Path
    digest: str  # SHA-256 of the file
    backbone: str | None  # the one asked about, else the one it is of; None where it is none of ours
    published_as: str | None  # the backbone whose published weights this file is, byte for byte
    match: Match | None  # None without a backbone
    parameters: int  # that fit the backbone, of those that are learned; all in the file without a backbone
    problem: WeightsError | None  # why it can't be used

    @property
    def usable(self) -> bool:
        """Whether `adopt` would take it."""
        return self.problem is None

    def as_data(self) -> dict[str, Any]:
        """All of it for `--json`."""
        names = ("matched", "missing", "left_over", "other_shape")
        return {
            "file": str(self.file),
            "digest": self.digest,
            "backbone": self.backbone,
            "published_as": self.published_as,
            "match": {name: getattr(self.match, name) for name in names} if self.match else None,
            "parameters": self.parameters,
            "usable": self.usable,
            "problem": self.problem.as_data() if self.problem else None,
        }


def inspect_weights(file: Path, backbone: str | None = None) -> Inspection:
    """Look at a file of weights (.pth, .pt, .safetensors, or a model folder of ours) without keeping or changing anything.

    Without `backbone`, it is recognised: by its hash where it is a published file, else by its names and shapes.
    Raises BackboneError for an unknown backbone and WeightsError for what can't be read: weights-missing, weights-truncated,
    weights-unsafe, weights-not-a-state-dict. What reads well and still can't be used is told in `problem`.
    """
    asked = backbone_info(backbone) if backbone is not None else None
    file, digest = brought_file(file)
    state = read_state_dict(file)
    known = published_as(digest)
    info = asked or known or fitting(shapes_of(state))
    entry = known.name if known else None
    if info is None:
        count = sum(tensor.numel() for name, tensor in state.items() if not is_counter(name))
        return Inspection(file, digest, None, entry, None, count, _fits_none(file))
    fit = _Fit(info, state)
    return Inspection(file, digest, info.name, entry, fit.match, fit.parameters, fit.problem(file))


def is_brought(file: Path) -> bool:
    """Whether a file is there, or a model folder of ours."""
    return file.is_file() or (file / MODEL_PARAMETERS).is_file()


def brought_file(file: Path) -> tuple[Path, str]:
    """The file of parameters itself (a model folder's, for a folder) and its SHA-256; raises WeightsError (weights-missing)."""
    inside = file / MODEL_PARAMETERS
    if inside.is_file():
        file = inside
    try:
        return file, digest_of(file)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise WeightsError(
            _("{file} is missing.").format(file=file),
            code="weights-missing",
            file=file,
            fix=_("Check the path of the weights: it must be a file."),
        ) from error
    except OSError as error:
        raise WeightsError(
            _("{file} can't be read: {reason}.").format(file=file, reason=error.strerror or error),
            code="weights-missing",
            file=file,
            fix=_("Check that you may read this file."),
        ) from error


def backbone_state(info: BackboneInfo, state: State, file: Path) -> State:
    """The part of `state` that is `info`'s backbone, under torchvision's names and in the network's types; heads are left off.

    Raises WeightsError: weights-mismatch with what differs, and which architecture it would fit; weights-not-finite.
    """
    fit = _Fit(info, state)
    if problem := fit.problem(file):
        raise problem
    return fit.tensors()


def shapes_of(state: State) -> Shapes:
    """The shape of every tensor."""
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


class _Fit:
    """A state dict held against a backbone."""

    def __init__(self, info: BackboneInfo, state: State):
        from transfer_core.backbones.network import outline

        network = outline(info).network
        self.info = info
        self.state = state
        self._learned = {name for name, _parameter in network.named_parameters()}
        self._network = network.state_dict()
        self._expected = shapes_of(self._network)
        self._names = without_prefixes(state, self._expected, shapes_of(state))
        self._given = {name: tuple(state[own].shape) for name, own in self._names.items()}
        self.match = match_names(info, self._expected, self._given)

    @property
    def parameters(self) -> int:
        """How many learned numbers fit."""
        return sum(self._network[name].numel() for name in self.match.matched if name in self._learned)

    def problem(self, file: Path) -> WeightsError | None:
        """Why these weights can't be used; None where they can."""
        if not self.match.fits:
            return self._mismatch(file)
        wrong = next((name for name in self.match.matched if not _finite(self.state[self._names[name]])), None)
        if wrong is None:
            return None
        return WeightsError(
            _("{file} holds values in {name} that are not numbers.").format(file=file.name, name=wrong),
            code="weights-not-finite",
            file=file,
            fix=_("The training that made it failed: take an earlier state."),
        )

    def tensors(self) -> State:
        """The backbone's parameters and buffers, in the network's types and order."""
        import torch

        found = {}
        for name, own in self._network.items():
            # Files saved before torch 0.4.1 have no counters, and eval mode never reads them.
            tensor = self.state[self._names[name]] if name in self._names else torch.zeros(own.shape, dtype=own.dtype)
            found[name] = tensor.detach().to(own.dtype).contiguous()
        return found

    def _mismatch(self, file: Path) -> WeightsError:
        other = fitting(shapes_of(self.state))
        return WeightsError(
            _("{file} does not fit {backbone}: {differences}.").format(
                file=file.name,
                backbone=self.info.name,
                differences="; ".join(differences(self.match, self._expected, self._given)),
            ),
            code="weights-mismatch",
            file=file,
            fix=_("It fits {other}: choose that backbone for it.").format(other=other.name)
            if other
            else _("Choose the backbone that these weights were made for, in torchvision's version of it."),
        )


def _finite(tensor: Any) -> bool:
    return not tensor.is_floating_point() or bool(tensor.float().isfinite().all())


def _fits_none(file: Path) -> WeightsError:
    return WeightsError(
        _("{file} fits none of the backbones: its names and shapes are of another network.").format(file=file.name),
        code="weights-mismatch",
        file=file,
        fix=_("Bring weights of a network that `transfer-studio backbones` lists, in torchvision's version of it."),
    )

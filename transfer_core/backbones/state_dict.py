"""State dicts that users bring: read without running what they hold, and checked against an architecture.

Nothing here falls back to an unsafe way of reading: whether to do so would be the file's choice, not the user's.
"""

from __future__ import annotations

import pickle
import re
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transfer_core.backbones.catalogue import BackboneInfo, catalogue, is_counter, layout_of
from transfer_core.errors import WeightsError
from transfer_core.i18n import _, ngettext

if TYPE_CHECKING:
    from torch import Tensor

State = dict[str, "Tensor"]

# Names that torchvision's published files have and its networks no longer use (its loaders rename them as well).
RENAMED = (
    (re.compile(r"^(.*denselayer\d+\.(?:norm|conv))\.([12]\.)"), r"\1\2"),  # densenet
    (re.compile(r"^(.*\.mlp)\.linear_1\."), r"\1.0."),  # vision_transformer
    (re.compile(r"^(.*\.mlp)\.linear_2\."), r"\1.3."),
)
AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")  # heads of googlenet and inception_v3 that only training from nothing uses
WRAPPERS = ("state_dict", "model")
SNIFFED = 512  # bytes
SAFETENSORS_HEADER = 100_000_000  # bytes, the most that the format allows


def read_state_dict(file: Path) -> State:
    """The tensors in a .pth, .pt or .safetensors file, under torchvision's present names.

    Raises WeightsError: weights-truncated, weights-unsafe, weights-not-a-state-dict.
    """
    loaded = _reader(file)(file)
    if isinstance(loaded, dict):
        loaded = next((loaded[key] for key in WRAPPERS if isinstance(loaded.get(key), dict)), loaded)
    if not _is_state_dict(loaded):
        raise _not_a_state_dict(file)
    return {_present_name(name): tensor for name, tensor in loaded.items()}


def _reader(file: Path) -> Callable[[Path], Any]:
    """How to read `file`, by its first bytes: names lie."""
    try:
        with file.open("rb") as opened:
            start = opened.read(SNIFFED)
    except OSError as error:
        raise _broken(file) from error
    if start.startswith(b"version https://git-lfs"):
        raise _not_a_state_dict(file, _("{file} only points to weights in Git LFS.").format(file=file.name))
    if start.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        raise _not_a_state_dict(file, _("{file} is a web page, not weights.").format(file=file.name))
    # A safetensors file begins with the length of its header, whose first byte may look like a pickle's.
    if start[8:9] == b"{" and int.from_bytes(start[:8], "little") < SAFETENSORS_HEADER:
        return _read_safetensors
    if start.startswith((b"PK", b"\x80")) or not start:
        return _read_pickled
    if file.suffix == ".safetensors":
        return _read_safetensors
    raise _not_a_state_dict(file)


def _read_safetensors(file: Path) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(file)
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise _broken(file) from error


def _read_pickled(file: Path) -> Any:
    import torch

    _check_archive(file)
    try:
        # weights_only is said out loud, because an environment variable can turn it off where it is left to the default.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about pickles of other makes, which are refused with a sentence below
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        asked = re.search(r"GLOBAL ([\w.]{1,80})", str(error))
        raise WeightsError(
            _("{file} was refused: it holds more than tensors, and reading it would run code{name}.").format(
                file=file.name, name=f" ({asked[1]})" if asked else ""
            ),
            code="weights-unsafe",
            file=file,
            fix=_("Ask for a .safetensors file, or for one written by torch.save(model.state_dict(), ...)."),
        ) from error
    except Exception as error:  # a broken file can make the reader stumble anywhere, and each way means the same to the user
        raise _broken(file) from error


def _check_archive(file: Path) -> None:
    """Refuse archives that are cut short, hold a program (TorchScript), or are packed, which torch never does."""
    with file.open("rb") as opened:
        if opened.read(2) != b"PK":
            return
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise _broken(file) from error
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise _not_a_state_dict(file)
    if any(member.filename.endswith("/constants.pkl") for member in members):
        raise _not_a_state_dict(file, _("{file} is a TorchScript program, not a state dict.").format(file=file.name))


def _is_state_dict(loaded: Any) -> bool:
    import torch

    def plain(tensor: Any) -> bool:
        return isinstance(tensor, torch.Tensor) and tensor.layout is torch.strided and not tensor.is_quantized

    return isinstance(loaded, dict) and bool(loaded) and all(isinstance(k, str) and plain(v) for k, v in loaded.items())


def _present_name(name: str) -> str:
    name = name.removeprefix("module.")  # of torch's DataParallel
    for pattern, replacement in RENAMED:
        name = pattern.sub(replacement, name)
    return name


def backbone_state(info: BackboneInfo, state: State, file: Path) -> State:
    """The part of `state` that is `info`'s backbone, in the network's types; the classifier is left off, whatever it tells apart.

    Raises WeightsError: weights-mismatch with what differs, and which architecture it would fit; weights-not-finite.
    """
    import torch

    from transfer_core.backbones.network import outline

    expected = outline(info).network.state_dict()
    # A head of the user's own may be built otherwise, so all that stands in its place goes: `classifier.weight` as well as
    # `classifier.1.weight`, unless pretrained layers stand there too.
    place = info.head.partition(".")[0]
    head = info.head if any(name.startswith(f"{place}.") for name in expected) else place
    given = {name: tensor for name, tensor in state.items() if not _left_off(name, head)}
    for name, tensor in expected.items():
        if is_counter(name) and name not in given:
            given[name] = torch.zeros((), dtype=tensor.dtype)
    _check_fit(info, {k: tuple(v.shape) for k, v in expected.items()}, {k: tuple(v.shape) for k, v in given.items()}, state, file)
    for name, tensor in given.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor.float()).all():
            raise WeightsError(
                _("{file} holds values in {name} that are not numbers.").format(file=file.name, name=name),
                code="weights-not-finite",
                file=file,
                fix=_("The training that made it failed: take an earlier state."),
            )
    return {name: given[name].detach().to(expected[name].dtype).contiguous() for name in expected}


def _left_off(name: str, head: str) -> bool:
    return (head != "" and name.startswith(f"{head}.")) or name.startswith(AUXILIARY)


Shapes = Mapping[str, tuple[int, ...]]


def _check_fit(info: BackboneInfo, expected: Shapes, given: Shapes, state: State, file: Path) -> None:
    differences = _differences(expected, given)
    if not differences:
        return
    other = fitting(state)
    raise WeightsError(
        _("{file} does not fit {backbone}: {differences}.").format(
            file=file.name, backbone=info.name, differences="; ".join(differences)
        ),
        code="weights-mismatch",
        file=file,
        fix=_("It fits {other}: choose that backbone for it.").format(other=other)
        if other
        else _("Choose the backbone that these weights were made for, in torchvision's version of it."),
    )


def _differences(expected: Shapes, given: Shapes) -> list[str]:
    """What is missing, left over or of another shape, each as a part of a sentence with its first example."""
    missing = [name for name in expected if name not in given]
    extra = [name for name in given if name not in expected]
    other = [name for name in expected if name in given and given[name] != expected[name]]
    parts = []
    if missing:
        text = ngettext("{count} parameter is missing ({name})", "{count} parameters are missing (such as {name})", len(missing))
        parts.append(text.format(count=len(missing), name=missing[0]))
    if extra:
        text = ngettext("{count} is left over ({name})", "{count} are left over (such as {name})", len(extra))
        parts.append(text.format(count=len(extra), name=extra[0][:80]))
    if other:
        text = ngettext(
            "{count} has another shape ({name}: {given} instead of {expected})",
            "{count} have other shapes (such as {name}: {given} instead of {expected})",
            len(other),
        )
        name = other[0]
        parts.append(text.format(count=len(other), name=name, given=_shape(given[name]), expected=_shape(expected[name])))
    return parts


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "1"


def fitting(state: State) -> str | None:
    """The backbone whose architecture `state` is of, classifier or not; None where it is none of ours."""
    known = catalogue()
    for head in {info.head for info in known.values()}:
        layout = layout_of({name: tensor.shape for name, tensor in state.items() if not _left_off(name, head)})
        found = next((info.name for info in known.values() if info.head == head and info.layout == layout), None)
        if found:
            return found
    return None


def _broken(file: Path) -> WeightsError:
    return WeightsError(
        _("{file} is broken: it ends too early or was damaged.").format(file=file.name),
        code="weights-truncated",
        file=file,
        fix=_("Download or copy it again."),
    )


def _not_a_state_dict(file: Path, message: str | None = None) -> WeightsError:
    return WeightsError(
        message or _("{file} is not a state dict: a file of named tensors was expected.").format(file=file.name),
        code="weights-not-a-state-dict",
        file=file,
        fix=_("Bring the weights themselves: a .pth, .pt or .safetensors file for torchvision's architecture."),
    )

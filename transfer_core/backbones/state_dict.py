"""State dicts that users bring, read without running what they hold.

Nothing here falls back to an unsafe way of reading: whether to do so would be the file's choice, not the user's.
"""

from __future__ import annotations

import pickle
import re
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transfer_core.errors import WeightsError
from transfer_core.i18n import _

if TYPE_CHECKING:
    from torch import Tensor

State = dict[str, "Tensor"]

# Names that torchvision's published files have and its networks no longer use (its loaders rename them as well).
RENAMED = (
    (re.compile(r"^(.*denselayer\d+\.(?:norm|conv))\.([12]\.)"), r"\1\2"),  # densenet
    (re.compile(r"^(.*\.mlp)\.linear_1\."), r"\1.0."),  # vision_transformer
    (re.compile(r"^(.*\.mlp)\.linear_2\."), r"\1.3."),
)
WRAPPERS = ("state_dict", "model", "model_state_dict")
SNIFFED = 512  # bytes
SAFETENSORS_HEADER = 100_000_000  # bytes, the most that the format allows


def read_state_dict(file: Path) -> State:
    """The tensors in a .pth, .pt or .safetensors file; what torchvision has renamed bears its present name.

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
    for pattern, replacement in RENAMED:
        name = pattern.sub(replacement, name)
    return name


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

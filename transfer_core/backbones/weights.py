"""The weights at hand: adopted from files that users bring, or fetched, and kept as safetensors of our own.

Importing this never imports torch, and neither does `kept_weights`.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from transfer_core.backbones.catalogue import STARTER, STARTER_FILE, BackboneInfo, backbone_info
from transfer_core.backbones.download import Progress, ShouldStop, download, hash_in_name
from transfer_core.errors import TransferError, WeightsError, storage_error
from transfer_core.files import read_json, write_bytes, write_json
from transfer_core.i18n import _
from transfer_core.places import weights_folder

if TYPE_CHECKING:
    from torch import Tensor

SCHEMA = 1
MIRROR = "TRANSFER_STUDIO_WEIGHTS_MIRROR"


@dataclass(frozen=True)
class KeptWeights:
    """A backbone's weights as we keep them: safetensors under torchvision's names, without the classifier."""

    backbone: str
    digest: str  # SHA-256 of `file`: what features and graphs made with these weights depend on
    file: Path
    source: str  # where they came from: torchvision's entry, a file name, or "" for the built-in ones

    @property
    def stem(self) -> str:
        """How files made from these weights begin, such as their graphs."""
        return _stem(self.backbone, self.digest)


def _stem(backbone: str, digest: str) -> str:
    return f"{backbone}-{digest[:16]}"


def kept_weights(backbone: str | None = None) -> list[KeptWeights]:
    """The weights that are here, of one backbone or of all: the built-in starter, then the newest first."""
    found = [kept for file in weights_folder().glob("*.safetensors") if (kept := _described(file))]
    everything = [_built_in(), *sorted(found, key=lambda kept: _changed(kept.file), reverse=True)]
    return [kept for kept in everything if kept and backbone in (None, kept.backbone)]


def _changed(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:  # another process may be removing it
        return 0


def _described(file: Path) -> KeptWeights | None:
    """What the description beside `file` says; None where there is none that can be read, as for a file somebody put there."""
    record = _record(file)
    if record is None or file.stem != _stem(record["backbone"], record["digest"]):
        return None
    return KeptWeights(record["backbone"], record["digest"], file, record["source"])


def _record(file: Path) -> dict[str, Any] | None:
    try:
        record = read_json(file.with_suffix(".json"), WeightsError)
    except TransferError:
        return None
    known = ("backbone", "digest", "source", "source_digest")
    return record if isinstance(record, dict) and all(isinstance(record.get(key), str) for key in known) else None


def _built_in() -> KeptWeights | None:
    if not STARTER_FILE.exists():  # a checkout whose starter was not made yet
        return None
    return KeptWeights(STARTER, _digest_once(STARTER_FILE, _changed(STARTER_FILE)), STARTER_FILE, "")


@cache
def _digest_once(file: Path, changed: int) -> str:
    return digest_of(file)


def digest_of(file: Path) -> str:
    """The SHA-256 of a file, in hexadecimals."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def adopt(backbone: str, file: Path, source: str | None = None) -> KeptWeights:
    """Check a state dict (.pth, .pt, .safetensors) for `backbone` and keep its backbone part; `file` stays as it is.

    A file that was adopted before is recognised by its content, without loading torch.
    Raises BackboneError for an unknown backbone and WeightsError: weights-missing, weights-truncated, weights-unsafe,
    weights-not-a-state-dict, weights-mismatch, weights-not-finite.
    """
    info = backbone_info(backbone)
    source_digest = _source_digest(file)
    for kept in kept_weights(backbone):
        if kept.digest == source_digest or (_record(kept.file) or {}).get("source_digest") == source_digest:
            return kept
    return _keep(info, file, source_digest, source or file.name)


def _source_digest(file: Path) -> str:
    try:
        return digest_of(file)
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


def _keep(info: BackboneInfo, file: Path, source_digest: str, source: str) -> KeptWeights:
    from safetensors.torch import save

    from transfer_core.backbones.state_dict import backbone_state, read_state_dict

    data = save(backbone_state(info, read_state_dict(file), file))
    digest = hashlib.sha256(data).hexdigest()
    target = weights_folder() / f"{_stem(info.name, digest)}.safetensors"
    record = {"schema": SCHEMA, "backbone": info.name, "digest": digest, "source": source, "source_digest": source_digest}
    write_bytes(target, data)
    write_json(target.with_suffix(".json"), record)
    return KeptWeights(info.name, digest, target, source)


def fetch(backbone: str, progress: Progress | None = None, should_stop: ShouldStop | None = None) -> KeptWeights:
    """Download torchvision's weights for `backbone`, check their hash, and keep them.

    TRANSFER_STUDIO_WEIGHTS_MIRROR in the environment, an http(s) address or a folder, takes the place of torchvision's server.
    Raises WeightsError: weights-offline, weights-not-found, weights-truncated, weights-hash, stopped; StorageError.
    """
    info = backbone_info(backbone)
    if info.name == STARTER and (built_in := _built_in()):
        return built_in
    entry, address = _published(info)
    name = address.rpartition("/")[2]
    downloaded = _downloads() / name
    with FileLock(downloaded.with_name(f"{name}.lock")):  # a second process waits, and then finds them here
        for kept in kept_weights(backbone):
            if kept.source == entry:
                return kept
        try:
            download(_mirrored(address, name), hash_in_name(name), downloaded, progress, should_stop)
            return adopt(backbone, downloaded, source=entry)
        finally:
            downloaded.unlink(missing_ok=True)


def _published(info: BackboneInfo) -> tuple[str, str]:
    """Torchvision's entry as it writes it, such as ResNet18_Weights.IMAGENET1K_V1, and its address."""
    if not info.weights:
        raise WeightsError(
            _("The weights of {backbone} come with the program, and are missing.").format(backbone=info.name),
            code="weights-missing",
            fix=_("Install Transfer Studio again, or choose another backbone."),
        )
    from torchvision.models import get_model_weights

    entry = get_model_weights(info.name)[info.weights]
    return str(entry), entry.url


def _mirrored(address: str, name: str) -> str:
    mirror = os.environ.get(MIRROR, "").rstrip("/\\")
    return f"{mirror}/{name}" if mirror else address


def _downloads() -> Path:
    folder = weights_folder() / "downloads"
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise storage_error(error, folder) from error
    return folder


def obtain(
    backbone: str, file: Path | None = None, progress: Progress | None = None, should_stop: ShouldStop | None = None
) -> KeptWeights:
    """Weights for `backbone`: from `file` where one is given, else those that are here, else torchvision's."""
    if file is not None:
        return adopt(backbone, file)
    here = kept_weights(backbone_info(backbone).name)
    return here[0] if here else fetch(backbone, progress, should_stop)


def remove(kept: KeptWeights) -> None:
    """Delete kept weights, their description and their graphs; the built-in ones stay."""
    for file in weights_folder().glob(f"{kept.stem}*"):
        file.unlink(missing_ok=True)


def read_kept(kept: KeptWeights) -> dict[str, Tensor]:
    """The parameters in the kept file; raises WeightsError (weights-hash) if it is not what it was when it was kept."""
    from safetensors.torch import load

    try:
        data = kept.file.read_bytes()
    except OSError as error:
        raise WeightsError(
            _("The kept weights {file} can't be read: {reason}.").format(file=kept.file, reason=error.strerror or error),
            code="weights-missing",
            file=kept.file,
            fix=_("Fetch or add the weights of {backbone} again.").format(backbone=kept.backbone),
        ) from error
    # The bytes that were checked are the ones that are parsed: the file can't change in between.
    if hashlib.sha256(data).hexdigest() != kept.digest:
        raise WeightsError(
            _("The kept weights {file} were changed.").format(file=kept.file),
            code="weights-hash",
            file=kept.file,
            fix=_("Remove them, then fetch or add the weights of {backbone} again.").format(backbone=kept.backbone),
        )
    return load(data)

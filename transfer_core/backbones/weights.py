"""The weights at hand: adopted from files that users bring, or fetched, and kept as safetensors of our own.

Importing this never imports torch, and neither does `kept_weights`.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transfer_core.backbones.catalogue import STARTER, STARTER_FILE, BackboneInfo, backbone_info, file_name
from transfer_core.backbones.download import Progress, ShouldStop, hash_in_name
from transfer_core.backbones.downloads import alone, bring, place_of
from transfer_core.backbones.inspection import backbone_state, brought_file
from transfer_core.backbones.published import published
from transfer_core.backbones.state_dict import read_state_dict
from transfer_core.errors import TransferError, WeightsError, storage_error
from transfer_core.files import digest_of, read_json, write_bytes, write_json
from transfer_core.i18n import _
from transfer_core.places import weights_folder

if TYPE_CHECKING:
    from torch import Tensor

SCHEMA = 1
SHORTEST_DIGEST = 6  # hexadecimals


@dataclass(frozen=True)
class KeptWeights:
    """A backbone's weights as we keep them: safetensors under torchvision's names, without the classifier."""

    backbone: str
    digest: str  # SHA-256 of `file`: what features and graphs made with these weights depend on
    file: Path
    source: str  # where they came from: torchvision's entry, a file name, or "" for the built-in ones

    @property
    def built_in(self) -> bool:
        """Whether they come with the program."""
        return self.source == ""

    @property
    def size(self) -> int:
        """Bytes on the disk; 0 where another process has just removed them."""
        try:
            return self.file.stat().st_size
        except OSError:
            return 0

    @property
    def stem(self) -> str:
        """How files made from these weights begin, such as their graphs."""
        return _stem(self.backbone, self.digest)


def _stem(backbone: str, digest: str) -> str:
    return f"{file_name(backbone)}-{digest[:16]}"


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


def adopt(backbone: str, file: Path, source: str | None = None) -> KeptWeights:
    """Check a state dict (.pth, .pt, .safetensors, or a model folder of ours) for `backbone` and keep its backbone part.

    `file` stays as it is. A file that was adopted before is recognised by its content, without loading torch.
    Raises BackboneError for an unknown backbone and WeightsError: weights-missing, weights-truncated, weights-unsafe,
    weights-not-a-state-dict, weights-mismatch, weights-not-finite.
    """
    info = backbone_info(backbone)
    source = source or file.name
    file, source_digest = brought_file(file)
    for kept in kept_weights(info.name):
        if kept.digest == source_digest or digest_of_source(kept) == source_digest:
            return kept
    return _keep(info, file, source_digest, source)


def digest_of_source(kept: KeptWeights) -> str:
    """The SHA-256 of the file that they were taken from; "" for the built-in ones."""
    return str((_record(kept.file) or {}).get("source_digest", ""))


def _keep(info: BackboneInfo, file: Path, source_digest: str, source: str) -> KeptWeights:
    from safetensors.torch import save

    data = save(backbone_state(info, read_state_dict(file), file))
    digest = hashlib.sha256(data).hexdigest()
    target = weights_folder() / f"{_stem(info.name, digest)}.safetensors"
    record = {"schema": SCHEMA, "backbone": info.name, "digest": digest, "source": source, "source_digest": source_digest}
    write_bytes(target, data)
    write_json(target.with_suffix(".json"), record)
    return KeptWeights(info.name, digest, target, source)


def kept_published(info: BackboneInfo) -> KeptWeights | None:
    """The published weights of a backbone, if they are here, fetched or brought as a file."""
    return next((kept for kept in kept_weights(info.name) if is_published(info, kept)), None)


def is_published(info: BackboneInfo, kept: KeptWeights) -> bool:
    """Whether these weights of a backbone are its published ones, and not the user's own."""
    # timm's files have no hash in their names: what was fetched says whose it is, and no file can be called that.
    if kept.built_in or kept.source == info.name:
        return True
    beginning = hash_in_name(info.weights_file)
    return bool(beginning) and digest_of_source(kept).startswith(beginning)


def fetch(backbone: str, progress: Progress | None = None, should_stop: ShouldStop | None = None) -> KeptWeights:
    """Download torchvision's weights for `backbone`, check their hash, and keep them; those that are here are not fetched again.

    The mirror (see `published.mirror`) takes the place of torchvision's server. Of several processes that want the same file one
    downloads, and the others wait. What breaks off or is stopped is carried on by the next call.
    Raises BackboneError; WeightsError: weights-offline, weights-not-found, weights-truncated, weights-hash, stopped; StorageError.
    """
    info = backbone_info(backbone)
    if here := kept_published(info):
        return here
    file = published(info)
    place = place_of(file.name)
    with alone(place, info.file_size, progress, should_stop):
        if here := kept_published(info):
            return here
        bring(file, place, progress, should_stop)
        try:
            kept = adopt(info.name, place, source=file.entry)
        except TransferError:
            place.unlink(missing_ok=True)
            raise
        place.unlink(missing_ok=True)
        return kept


def obtain(
    backbone: str, file: Path | None = None, progress: Progress | None = None, should_stop: ShouldStop | None = None
) -> KeptWeights:
    """Weights for `backbone`: from `file` where one is given, else the published or the newest that are here, else torchvision's."""
    if file is not None:
        return adopt(backbone, file)
    info = backbone_info(backbone)
    here = kept_published(info) or next(iter(kept_weights(info.name)), None)
    return here or fetch(backbone, progress, should_stop)


def find_weights(text: str) -> list[KeptWeights]:
    """The weights here that a backbone's name, or the beginning of a digest, means.

    Raises BackboneError for what is no name and can't be a digest.
    """
    if re.fullmatch(rf"[0-9a-f]{{{SHORTEST_DIGEST},64}}", text):
        return [kept for kept in kept_weights() if kept.digest.startswith(text)]
    return kept_weights(backbone_info(text).name)


def remove(kept: KeptWeights) -> None:
    """Delete kept weights, their description and their graphs; the built-in ones stay. Raises StorageError."""
    if kept.built_in:
        return
    for file in weights_folder().glob(f"{kept.stem}*"):
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            raise storage_error(error, file) from error


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

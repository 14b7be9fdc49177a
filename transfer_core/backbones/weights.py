"""The weights at hand: adopted from files that users bring, or fetched, and kept as safetensors of our own.

Importing this never imports torch, and neither does `kept_weights`.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from transfer_core.backbones.catalogue import STARTER, STARTER_FILE, BackboneInfo, backbone_info, catalogue
from transfer_core.backbones.download import Progress, ShouldStop, check_stop, download, hash_in_name
from transfer_core.backbones.inspection import backbone_state, brought_file
from transfer_core.backbones.partial import Partial
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
LOOK_AGAIN = 0.5  # seconds between looks at how far the process has come that downloads the same file


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
        if kept.digest == source_digest or _source_digest(kept) == source_digest:
            return kept
    return _keep(info, file, source_digest, source)


def _source_digest(kept: KeptWeights) -> str:
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
    beginning = hash_in_name(info.weights_file)
    for kept in kept_weights(info.name):
        if kept.built_in or (beginning and _source_digest(kept).startswith(beginning)):
            return kept
    return None


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
    downloaded = _downloads() / file.name
    with _alone(downloaded, info.file_size, progress, should_stop):
        if here := kept_published(info):
            return here
        try:
            download(file.nearest, hash_in_name(file.name), downloaded, progress, should_stop, published_at=file.address)
            return adopt(info.name, downloaded, source=file.entry)
        finally:
            downloaded.unlink(missing_ok=True)


@contextlib.contextmanager
def _alone(downloaded: Path, size: int, progress: Progress | None, should_stop: ShouldStop | None) -> Iterator[None]:
    """Wait for the process that downloads the same file, and show how far it has come."""
    lock, partial = FileLock(downloaded.with_name(f"{downloaded.name}.lock")), Partial(downloaded)
    while True:
        try:
            lock.acquire(timeout=LOOK_AGAIN)
            break
        except Timeout:
            check_stop(partial, should_stop)
            if progress:
                progress(partial.size, size)
        except OSError as error:
            raise storage_error(error, downloaded) from error
    try:
        yield
    finally:
        lock.release()


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


def unfinished_downloads() -> dict[str, int]:
    """Bytes of downloads that broke off or are going on, by the backbone's name."""
    folder = weights_folder() / "downloads"
    partials = {info.name: Partial(folder / info.weights_file) for info in catalogue().values() if info.weights_file}
    return {name: partial.size for name, partial in partials.items() if partial.size}


def discard_download(backbone: str) -> bool:
    """Throw away what is here of a download that broke off; says whether there was anything. Not while it is going on."""
    info = backbone_info(backbone)
    partial = Partial(_downloads() / info.weights_file)
    if not info.weights_file or not partial.size:
        return False
    try:
        with FileLock(partial.target.with_name(f"{partial.target.name}.lock"), timeout=0):
            partial.discard()
    except Timeout:
        return False
    return True


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

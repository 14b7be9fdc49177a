"""One file from an address or a folder, whole and with the hash that its name promises, or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Self

from transfer_core.errors import WeightsError, storage_error
from transfer_core.files import sync_folder
from transfer_core.i18n import _

Progress = Callable[[int, int], None]
ShouldStop = Callable[[], bool]

CHUNK = 1 << 18
TIMEOUT = 30.0  # seconds without a byte
# Servers of the S3 kind answer 403 for a file that isn't there.
NOT_THERE = frozenset({403, 404, 410})


def download(
    address: str,
    expected_hash: str,
    target: Path,
    progress: Progress | None = None,
    should_stop: ShouldStop | None = None,
    timeout: float = TIMEOUT,
) -> str:
    """Fetch `address` (http, https or a path) to `target`; returns the SHA-256 of the content.

    `expected_hash` is the beginning of that SHA-256 in hexadecimals. `progress` gets bytes done and in all (0 where unknown).
    Raises WeightsError: weights-offline, weights-not-found, weights-truncated, weights-hash, stopped; StorageError where the disk
    refuses. Nothing is left at `target` then, nor beside it.
    """
    partial = target.with_name(f"{target.name}.partial")
    try:
        with _opened(address, target.name, timeout) as (source, total):
            done, digest = _copy(source, partial, total, progress, should_stop)
        if total and done < total:
            raise WeightsError(
                _("The download of {name} broke off after {done} of {total} bytes.").format(
                    name=target.name, done=done, total=total
                ),
                code="weights-truncated",
                file=target.name,
                fix=_("Try again. {by_hand}").format(by_hand=by_hand(target.name, address)),
            )
        if not digest.startswith(expected_hash):
            raise WeightsError(
                _("{name} is not the published file: its hash begins with {found} instead of {expected}.").format(
                    name=target.name, found=digest[: len(expected_hash)], expected=expected_hash
                ),
                code="weights-hash",
                file=target.name,
                fix=_("It was thrown away. Try again, or check the address it came from: {address}").format(address=address),
            )
        try:
            partial.replace(target)
            sync_folder(target.parent)
        except OSError as error:
            raise storage_error(error, target) from error
        return digest
    finally:
        partial.unlink(missing_ok=True)


def hash_in_name(name: str) -> str:
    """The beginning of the SHA-256 that torchvision writes into its file names; "" where there is none."""
    found = re.search(r"-([0-9a-f]{8,})\.\w+$", name)
    return found[1] if found else ""


def by_hand(name: str, address: str) -> str:
    """How to bring the file without a network."""
    return _("Or bring the file by hand: download {address} on another computer, and give it with --weights {name}").format(
        address=address, name=name
    )


@contextlib.contextmanager
def _opened(address: str, name: str, timeout: float) -> Iterator[tuple[BinaryIO, int]]:
    """The source and its size in bytes (0 where the server does not say)."""
    try:
        if not address.startswith(("http://", "https://")):
            path = Path(address)
            with path.open("rb") as file:
                yield file, path.stat().st_size
            return
        request = urllib.request.Request(address, headers={"User-Agent": "transfer-studio", "Accept-Encoding": "identity"})
        with urllib.request.urlopen(request, timeout=timeout) as response:
            yield response, _count(response.headers.get("Content-Length"))
    except urllib.error.HTTPError as error:
        if error.code in NOT_THERE:
            raise _not_there(name, address) from error
        raise _offline(name, address, str(error)) from error
    except FileNotFoundError as error:
        raise _not_there(name, address) from error
    except (OSError, http.client.HTTPException) as error:
        raise _offline(name, address, str(getattr(error, "reason", None) or error)) from error


def _count(length: str | None) -> int:
    return int(length) if length and length.isdecimal() else 0


def _copy(
    source: BinaryIO, partial: Path, total: int, progress: Progress | None, should_stop: ShouldStop | None
) -> tuple[int, str]:
    """Bytes written to `partial`, and their SHA-256."""
    done, hashing = 0, hashlib.sha256()
    with _DiskFile(partial) as file:
        while chunk := _next_chunk(source):
            if should_stop and should_stop():
                raise WeightsError(_("The download was stopped."), code="stopped", fix=_("Start it again when you like."))
            hashing.update(chunk)
            file.write(chunk)
            done += len(chunk)
            if progress:
                progress(done, total)
        file.sync()
    return done, hashing.hexdigest()


def _next_chunk(source: BinaryIO) -> bytes:
    try:
        return source.read(CHUNK)
    except http.client.IncompleteRead as error:
        return error.partial
    except ConnectionError:
        return b""  # a connection that drops in the middle is a file that is too short


class _DiskFile:
    """A file whose every refusal is a StorageError, so that a full disk is never taken for a network that is down.

    Unbuffered: closing has nothing left to write then, and can't fail in its turn.
    """

    def __init__(self, path: Path):
        self.path = path
        try:
            self._file = path.open("wb", buffering=0)
        except OSError as error:
            raise storage_error(error, path) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._file.close()

    def write(self, chunk: bytes) -> None:
        rest = memoryview(chunk)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise storage_error(error, self.path) from error

    def sync(self) -> None:
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise storage_error(error, self.path) from error


def _not_there(name: str, address: str) -> WeightsError:
    return WeightsError(
        _("{name} is not at {address}").format(name=name, address=address),
        code="weights-not-found",
        file=name,
        fix=by_hand(name, address),
    )


def _offline(name: str, address: str, reason: str) -> WeightsError:
    return WeightsError(
        _("{name} could not be downloaded: {reason}.").format(name=name, reason=reason),
        code="weights-offline",
        file=name,
        fix=_("Check the network and try again. {by_hand}").format(by_hand=by_hand(name, address)),
    )

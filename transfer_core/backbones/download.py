"""One file from an address or a folder, whole and with the hash that its name promises; what broke off is carried on."""

from __future__ import annotations

import contextlib
import http.client
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from transfer_core.backbones.partial import Origin, Partial
from transfer_core.errors import StorageError, WeightsError
from transfer_core.i18n import _

Progress = Callable[[int, int], None]
ShouldStop = Callable[[], bool]

CHUNK = 1 << 18
TIMEOUT = 30.0  # seconds without a byte
PAUSES = (1.0, 3.0, 10.0)  # seconds before each further try after a connection dropped
# Servers of the S3 kind answer 403 for a file that isn't there.
NOT_THERE = frozenset({403, 404, 410})
RANGE_REFUSED = 416


def download(
    address: str,
    expected_hash: str,
    target: Path,
    progress: Progress | None = None,
    should_stop: ShouldStop | None = None,
    timeout: float = TIMEOUT,
    published_at: str | None = None,
) -> str:
    """Fetch `address` (http, https or a path) to `target`; returns the SHA-256 of the content.

    `expected_hash` is the beginning of that SHA-256 in hexadecimals. `progress` gets bytes done and in all (0 where unknown).
    A connection that drops is taken up again a few times. A download that is stopped or breaks off leaves its beginning beside
    `target`, and the next one asks only for the rest, if the server says that the file is still the same.
    `published_at` is where the file can be had by hand, if not at `address`.
    Raises WeightsError: weights-offline, weights-not-found, weights-truncated, weights-hash, stopped; StorageError where the disk
    refuses. Nothing is left at `target` then. One process at a time may do this for the same `target`.
    """
    partial = Partial(target)
    source = _Source(address, target.name, timeout, published_at or address)
    try:
        digest = _already_whole(partial, address, expected_hash)
        if not digest:
            _fetch_all(source, partial, progress, should_stop)
            digest = partial.digest()
        if not digest.startswith(expected_hash):
            partial.discard()
            raise _other_file(source, digest, expected_hash)
        partial.finish()
        return digest
    except StorageError as error:
        if error.code == "disk-full":
            partial.discard()  # which gives some of the space back
        raise
    finally:
        if partial.origin is None:  # nothing that could be carried on
            partial.discard()


def hash_in_name(name: str) -> str:
    """The beginning of the SHA-256 that torchvision writes into its file names; "" where there is none."""
    found = re.search(r"-([0-9a-f]{8,})\.\w+$", name)
    return found[1] if found else ""


def by_hand(name: str, address: str) -> str:
    """How to bring the file without a network."""
    return _(
        "Or bring the file by hand: download {address} on another computer, and add it here with "
        "`transfer-studio weights add {name}` or on the Backbone page."
    ).format(address=address, name=name)


class _Dropped(Exception):
    """A connection that could not be made (`origin` is None) or did not hold."""

    def __init__(self, reason: object, origin: Origin | None = None):
        super().__init__(str(reason))
        self.origin = origin


@dataclass(frozen=True)
class _Source:
    """Where a file is to come from."""

    address: str
    name: str
    timeout: float
    published_at: str

    @property
    def by_hand(self) -> str:
        return by_hand(self.name, self.published_at)


@dataclass
class _Stream:
    """An open connection or file that goes on from `offset`."""

    content: BinaryIO
    origin: Origin
    offset: int

    def close(self) -> None:
        self.content.close()


def _already_whole(partial: Partial, address: str, expected_hash: str) -> str:
    """The digest of a partial that lacks nothing but its name, as after a crash at the very end; "" where there is none."""
    origin = partial.origin
    if origin is None or origin.address != address or partial.size < origin.size or not origin.size:
        return ""
    digest = partial.digest()
    if expected_hash and digest.startswith(expected_hash):
        return digest
    partial.discard()
    return ""


def _fetch_all(source: _Source, partial: Partial, progress: Progress | None, should_stop: ShouldStop | None) -> None:
    """Fetch until nothing is missing, over as many connections as bring something new, and a few that don't."""
    furthest, failures, opened = partial.size, 0, False
    while True:
        try:
            return _fetch(source, partial, progress, should_stop)
        except _Dropped as drop:
            opened = opened or drop.origin is not None
            failures = 0 if partial.size >= furthest + CHUNK else failures + 1
            furthest = max(furthest, partial.size)
            # A network that was never there is told of at once; one that comes and goes is given time.
            if not opened or failures >= len(PAUSES):
                raise _gave_up(source, partial, drop) from drop
            _wait(PAUSES[failures], partial, should_stop)


def _fetch(source: _Source, partial: Partial, progress: Progress | None, should_stop: ShouldStop | None) -> None:
    """Fetch what is missing over one connection."""
    with contextlib.closing(_open(source, partial)) as stream, partial.opened(stream.origin, stream.offset) as file:
        done = stream.offset
        if progress:
            progress(done, stream.origin.size)
        while chunk := _next_chunk(stream):
            file.write(chunk)
            done += len(chunk)
            if progress:
                progress(done, stream.origin.size)
            check_stop(partial, should_stop)
        file.sync()
    if done < stream.origin.size:
        raise _Dropped(_("the connection broke off"), stream.origin)


def _open(source: _Source, partial: Partial) -> _Stream:
    """The source, behind the bytes that are here already where they are of the same file."""
    try:
        if not source.address.startswith(("http://", "https://")):
            return _open_file(source.address, partial)
        return _open_address(source, partial)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in NOT_THERE:
            raise _not_there(source) from error
        raise _Dropped(error) from error
    except FileNotFoundError as error:
        raise _not_there(source) from error
    except (OSError, http.client.HTTPException) as error:
        raise _Dropped(getattr(error, "reason", None) or error) from error


def _open_file(address: str, partial: Partial) -> _Stream:
    file = Path(address).open("rb")  # noqa: SIM115 - closed with the stream
    status = Path(address).stat()
    origin = Origin(address, str(status.st_mtime_ns), status.st_size)
    offset = partial.size if partial.origin == origin and partial.size <= origin.size else 0
    file.seek(offset)
    return _Stream(file, origin, offset)


def _open_address(source: _Source, partial: Partial) -> _Stream:
    known = partial.origin
    if known and known.address == source.address and (rest := _open_rest(source, known, partial.size)):
        return rest
    return _open_whole(source, _connect(source, {}))


def _open_rest(source: _Source, known: Origin, offset: int) -> _Stream | None:
    """What follows the `offset` bytes that are here, or all of it where it has changed; None where the server can't say."""
    try:
        response = _connect(source, {"Range": f"bytes={offset}-", "If-Range": known.validator})  # RFC 9110, 13.1.5
    except urllib.error.HTTPError as error:
        if error.code != RANGE_REFUSED:
            raise
        error.close()
        return None
    if response.status != http.HTTPStatus.PARTIAL_CONTENT:
        return _open_whole(source, response)
    first, total = _range(response)
    if (first, total, _validator(response) or known.validator) == (offset, known.size or total, known.validator):
        return _Stream(response, Origin(known.address, known.validator, total), offset)
    response.close()
    return None


def _open_whole(source: _Source, response: http.client.HTTPResponse) -> _Stream:
    return _Stream(response, Origin(source.address, _validator(response), _count(response.headers.get("Content-Length"))), 0)


def _connect(source: _Source, headers: dict[str, str]) -> http.client.HTTPResponse:
    always = {"User-Agent": "transfer-studio", "Accept-Encoding": "identity"}
    request = urllib.request.Request(source.address, headers=always | headers)
    response: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=source.timeout)
    return response


def _validator(response: http.client.HTTPResponse) -> str:
    """What `If-Range` takes: an ETag that is not weak, or the time of the last change."""
    tag: str = response.headers.get("ETag", "")
    return tag if tag.startswith('"') else response.headers.get("Last-Modified", "")


def _range(response: http.client.HTTPResponse) -> tuple[int, int]:
    """The first byte of a part and the size of the whole; -1 and 0 where the server does not say."""
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", "").strip())
    return (int(found[1]), int(found[2])) if found else (-1, 0)


def _count(length: str | None) -> int:
    return int(length) if length and length.isdecimal() else 0


def _next_chunk(stream: _Stream) -> bytes:
    try:
        return stream.content.read(CHUNK)
    except http.client.IncompleteRead as error:
        return error.partial
    except (OSError, http.client.HTTPException) as error:
        raise _Dropped(error, stream.origin) from error


def _wait(seconds: float, partial: Partial, should_stop: ShouldStop | None) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        check_stop(partial, should_stop)
        time.sleep(min(left, 0.2))


def check_stop(partial: Partial, should_stop: ShouldStop | None) -> None:
    """Raise WeightsError (stopped) if that is wanted."""
    if should_stop and should_stop():
        again = (
            _("Start it again when you like: it goes on from there.") if partial.origin else _("Start it again when you like.")
        )
        raise WeightsError(_("The download was stopped."), code="stopped", fix=again)


def _gave_up(source: _Source, partial: Partial, drop: _Dropped) -> WeightsError:
    if drop.origin and partial.size:
        again = _("Try again: it goes on from where it broke off.") if partial.origin else _("Try again.")
        return WeightsError(
            _("The download of {name} broke off after {done} of {total} bytes.").format(
                name=source.name, done=partial.size, total=drop.origin.size or "?"
            ),
            code="weights-truncated",
            file=source.name,
            fix=f"{again} {source.by_hand}",
        )
    return WeightsError(
        _("{name} could not be downloaded: {reason}.").format(name=source.name, reason=drop),
        code="weights-offline",
        file=source.name,
        fix=_("Check the network and try again. {by_hand}").format(by_hand=source.by_hand),
    )


def _not_there(source: _Source) -> WeightsError:
    return WeightsError(
        _("{name} is not at {address}").format(name=source.name, address=source.address),
        code="weights-not-found",
        file=source.name,
        fix=source.by_hand,
    )


def _other_file(source: _Source, digest: str, expected: str) -> WeightsError:
    return WeightsError(
        _("{name} is not the published file: its hash begins with {found} instead of {expected}.").format(
            name=source.name, found=digest[: len(expected)], expected=expected
        ),
        code="weights-hash",
        file=source.name,
        fix=_("It was thrown away. Try again, or check the address it came from: {address}").format(address=source.address),
    )

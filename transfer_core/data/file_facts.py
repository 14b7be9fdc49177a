"""What a file is, told by its bytes without decoding them: content, size in pixels, format, or why it can't be used."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

from transfer_core.errors import ImageError
from transfer_core.i18n import _
from transfer_core.images.decode import inspect, open_rgb, phone_picture
from transfer_core.images.formats import EXTENSIONS, MAX_BYTES, PHONE_EXTENSIONS
from transfer_core.rows import KEY_BYTES

# First bytes of the formats that are read, for pictures whose name has lost its extension.
_MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"RIFF", b"BM", b"GIF8", b"II*\x00", b"MM\x00*")


class Facts(NamedTuple):
    """What the sample table keeps of a file. `problem` says why it can't be used; `forbidden` that it could not even be read."""

    content: str | None = None
    width: int | None = None
    height: int | None = None
    format: str | None = None
    mode: str | None = None
    orientation: int | None = None
    animated: bool = False
    taken: str | None = None
    problem: str | None = None
    forbidden: bool = False

    @property
    def columns(self) -> dict[str, Any]:
        """As the table has them."""
        return {name: value for name, value in self._asdict().items() if name != "forbidden"}


def facts_of(path: Path, size: int) -> Facts:
    """The facts of a file of `size` bytes; whatever is wrong with it is one of them."""
    try:
        return _look_at(path, size)
    except ImageError as error:
        return Facts(problem=error.message)
    except OSError as error:
        return Facts(problem=_("it can't be read: {reason}").format(reason=error.strerror or error), forbidden=True)


def _look_at(path: Path, size: int) -> Facts:
    """Content hash and header of a picture; raises ImageError when it can't be used."""
    name = path.name
    if path.suffix.lower() in PHONE_EXTENSIONS:
        raise phone_picture(name)
    if size == 0:
        raise ImageError(_("the file is empty"), file=path)
    if size > MAX_BYTES:
        raise ImageError(_("it is larger than {limit} MB").format(limit=MAX_BYTES // 2**20), file=path)
    if not may_be_picture(path):
        raise ImageError(_("it is not a picture"), file=path)
    data = path.read_bytes()
    header = inspect(data, name)
    if _may_be_cut_off(data, header.format):
        open_rgb(data, name=name)
    return Facts(content_of(data), **vars(header))


def content_of(data: bytes) -> str:
    """What the pixels, features and edits of a picture with these bytes are kept under."""
    return hashlib.blake2b(data, digest_size=KEY_BYTES).hexdigest()


def may_be_picture(path: Path) -> bool:
    """Whether the name, or else the first bytes, are those of a format that is read; raises OSError when the file can't be read."""
    if path.suffix.lower() in EXTENSIONS:
        return True
    with path.open("rb") as file:
        return file.read(8).startswith(_MAGIC)


def _may_be_cut_off(data: bytes, format: str) -> bool:
    """Whether the end is not what a whole file has, so that decoding is worth its time already now."""
    tail = data[-64:]
    if format in ("JPEG", "MPO"):
        return b"\xff\xd9" not in tail
    if format == "PNG":
        return b"IEND" not in tail
    if format == "AVIF":
        return _boxes_end(data) > len(data)
    return format in ("GIF", "WEBP", "TIFF", "BMP") and len(data) < 1_000_000


def _boxes_end(data: bytes) -> int:
    """Where the boxes of an ISO media file say that they end (ISO/IEC 14496-12, 4.2)."""
    place = 0
    while place + 8 <= len(data):
        length = int.from_bytes(data[place : place + 4], "big")
        if length == 1:
            length = int.from_bytes(data[place + 8 : place + 16], "big")
        if length < 8:  # 0: this one goes on to the end, wherever that is
            return len(data)
        place += length
    return place

"""Names from elsewhere, such as those in an archive, made into names that every file system takes."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from pathlib import PurePosixPath

MOST_BYTES = 160  # of a name; file systems take 255
_PLAIN = re.compile(r"[A-Za-z0-9_-]([A-Za-z0-9_. -]{0,100}[A-Za-z0-9_-])?")  # what most names are: nothing to be done
# Names that Windows keeps for devices, whatever their extension.
_DEVICES = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|clock\$|com[0-9¹²³]|lpt[0-9¹²³])", re.IGNORECASE)


def safe_part(part: str) -> str:
    """`part` without signs that some file system refuses and short enough for all; never empty, never a dot name."""
    if _PLAIN.fullmatch(part):
        return part
    text = unicodedata.normalize("NFC", part.encode("utf-8", "replace").decode())
    plain = re.sub(r'[\x00-\x1f\x7f<>:"|?*\\/]', "_", text).strip(" .")
    path = PurePosixPath(plain or "_")
    stem = path.stem
    if len(stem.encode()) > MOST_BYTES:  # others may begin like it
        stem = f"{_shortened(stem, MOST_BYTES - 9)} {hashlib.sha256(stem.encode()).hexdigest()[:8]}"
    return stem + _shortened(path.suffix, MOST_BYTES // 4)


def is_device(part: str) -> bool:
    """Whether Windows takes a file of this name for a device of its own: CON, NUL, COM1 and their like."""
    return bool(_DEVICES.fullmatch(part.split(".", 1)[0].strip(" ")))


def _shortened(text: str, most: int) -> str:
    return text.encode()[:most].decode(errors="ignore")

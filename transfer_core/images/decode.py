"""The one way in for a picture: upright RGB in 8 bits, from a short list of formats, within limits."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from transfer_core.errors import ImageError
from transfer_core.i18n import _
from transfer_core.images.formats import FORMATS

# Part of every cache key: raised whenever the same file would give other pixels.
DECODE = "decode1"

# What a file of a phone begins with, after four bytes of length: its brand, as ISO/IEC 23008-12 lists them.
_PHONE_BRANDS = (b"ftypheic", b"ftypheix", b"ftyphevc", b"ftyphevx", b"ftypheim", b"ftypheis", b"ftypmif1", b"ftypmsf1")
# A JPEG of a telephone may have 108 million pixels and is decoded at a fraction of that; other formats can only be decoded whole.
MAX_PIXELS = 100_000_000
MAX_JPEG_PIXELS = 170_000_000

_ORIENTATION = 0x0112
# What brings a stored picture upright, by EXIF orientation.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Formats of moving pictures; an MPO's further pictures are views of the same, a TIFF's are pages.
_MOVING = ("GIF", "WEBP", "PNG", "AVIF")
_EXIF_PART, _TAKEN = 0x8769, 36867
_PNG_NOTES = (b"eXIf", b"tiff:Orientation", b"Raw profile type exif")


@dataclass(frozen=True)
class Header:
    """What a picture's first bytes say: size in pixels as it will be shown, format, and what is unusual about it.

    `mode` is Pillow's name of how pixels are stored, with ";16" after it where colours have 16 bits each, `orientation` EXIF's 1 to 8,
    `taken` the camera's time as EXIF writes it.
    """

    width: int
    height: int
    format: str
    mode: str = "RGB"
    orientation: int = 1
    animated: bool = False
    taken: str | None = None


def open_rgb(source: Path | bytes, need: int | None = None, name: str | None = None) -> Image.Image:
    """The picture in `source` as upright RGB, transparency on white, first frame only.

    `need` is the short side in pixels that will be made of it: a JPEG at least four times as large is decoded at the smallest
    of 1/2, 1/4 and 1/8 that leaves twice `need` (libjpeg's scaled decode), which is part of what `DECODE` stands for.
    Raises ImageError naming the file, or `name`.
    """
    label = name or (str(source) if isinstance(source, Path) else _("this picture"))
    try:
        with _open(source, label) as image:
            # Before the draft: what one door refuses for its size must not come in by another.
            _check_size(image, label)
            if need is not None and image.format in ("JPEG", "MPO"):
                image.draft(None, (2 * need, 2 * need))
            image.load()
            return _eight_bit_rgb(_upright(image), label)
    except ImageError:
        raise
    except MemoryError as error:
        raise _broken(label, _("it is too large for this computer's memory")) from error
    except Exception as error:  # Pillow raises whatever a broken file makes its parsers trip over: struct.error, KeyError, ...
        if isinstance(error, OSError) and error.errno is not None:  # of the disk; Pillow's own have no number
            raise _unreadable(label, error) from error
        raise _broken(label, _reason(error)) from error


def decoded_size(source: Path, need: int) -> tuple[int, int] | None:
    """The size in pixels that `open_rgb` decodes to for this `need`, before turning; None where that is not known from the header.

    Two needs with the same size get the same pixels. Never raises: what is wrong with the file is for `open_rgb` to say.
    """
    try:
        with _open(source, source.name) as image:
            if image.format in ("JPEG", "MPO"):
                image.draft(None, (2 * need, 2 * need))
            return image.size
    except Exception:
        return None


def inspect(data: bytes, name: str) -> Header:
    """Size and format from the first bytes of a file; raises ImageError naming it. Pixels are not decoded."""
    try:
        with _open(data, name) as image:
            _check_size(image, name)
            width, height = image.size
            # Pillow decodes all of a PNG to look for a note after its pixels, and has turned the size of a TIFF already.
            noted = image.format != "PNG" or any(mark in data for mark in _PNG_NOTES)
            orientation = _orientation(image) if noted else 1
            if orientation >= 5 and image.format != "TIFF":
                width, height = height, width
            return Header(
                width,
                height,
                image.format or "",
                _mode(image, data),
                orientation,
                image.format in _MOVING and bool(getattr(image, "is_animated", False)),
                _taken(image) if noted else None,
            )
    except ImageError:
        raise
    except Exception as error:
        raise _broken(name, _reason(error)) from error


def _mode(image: Image.Image, data: bytes) -> str:
    # A palette with a transparent colour counts as transparent.
    mode = "RGBA" if "transparency" in image.info else image.mode
    # Colours of 16 bits have no mode of their own in Pillow: a PNG's header says it in its 25th byte, a TIFF in its tag BitsPerSample.
    bits = data[24] if image.format == "PNG" else max(getattr(image, "tag_v2", {}).get(258) or (8,))
    return f"{mode};16" if bits == 16 and not mode.startswith("I") else mode


def _open(source: Path | bytes, label: str) -> Image.Image:
    try:
        return Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise _too_large(label) from error
    except UnidentifiedImageError as error:
        if _is_phone_picture(source):
            raise phone_picture(label) from error
        raise ImageError(
            _("{file} is not a picture this program reads.").format(file=label),
            code="not-a-picture",
            file=label,
            fix=_("Save it as JPEG or PNG, or leave it out."),
        ) from error
    except FileNotFoundError as error:
        raise ImageError(_("{file} does not exist.").format(file=label), code="missing", file=label) from error
    except PermissionError as error:
        raise ImageError(
            _("{file} may not be read.").format(file=label),
            code="unreadable",
            file=label,
            fix=_("Give yourself permission to read it, or leave it out."),
        ) from error


def phone_picture(label: str) -> ImageError:
    """The error for a HEIC picture: docs/decisions/2026-11-24-heic.md says why these are not read."""
    return ImageError(
        _("{file} is a HEIC picture of a phone, which can't be read here. Save it as JPEG.").format(file=label),
        code="heic",
        file=label,
        fix=_(
            "For new pictures, choose Settings, Camera, Formats, Most Compatible on an iPhone, or turn off HEIF in the camera's settings "
            "on other phones. Those that were taken become JPEG when a Mac's Preview or the Photos of Windows exports them."
        ),
    )


def _is_phone_picture(source: Path | bytes) -> bool:
    try:
        if isinstance(source, bytes):
            head = source[:12]
        else:
            with source.open("rb") as file:
                head = file.read(12)
    except OSError:
        return False
    return head[4:].startswith(_PHONE_BRANDS)


def _check_size(image: Image.Image, label: str) -> None:
    width, height = image.size
    limit = MAX_JPEG_PIXELS if image.format in ("JPEG", "MPO") else MAX_PIXELS
    if width * height > limit:
        raise _too_large(label, limit)


def _unreadable(label: str, error: OSError) -> ImageError:
    return ImageError(
        _("{file} can't be read: {reason}.").format(file=label, reason=error.strerror or error),
        code="unreadable",
        file=label,
        fix=_("Check the disk that it lies on, or leave it out."),
    )


def _too_large(label: str, limit: int = MAX_PIXELS) -> ImageError:
    return ImageError(
        _("{file} has more than {limit} million pixels.").format(file=label, limit=limit // 1_000_000),
        code="too-large",
        file=label,
        fix=_("Make a smaller copy of it, or leave it out."),
    )


def _broken(label: str, reason: str) -> ImageError:
    return ImageError(
        _("{file} is broken: {reason}.").format(file=label, reason=reason),
        code="broken",
        file=label,
        fix=_("Copy it again from where it came, or leave it out."),
    )


def _reason(error: Exception) -> str:
    text = str(error).strip().rstrip(".")
    if "truncated" in text.lower():
        return _("the end of the file is missing")
    return text or type(error).__name__


def _eight_bit_rgb(image: Image.Image, label: str) -> Image.Image:
    """`image` in RGB: 16-bit values divided by 257, transparent pixels laid on white."""
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.int64)
        if values.min() < 0 or values.max() > 65535:
            raise _broken(label, _("its values go beyond 16 bits"))
        return Image.fromarray(((values + 128) // 257).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise _broken(label, _("it holds measurements, not colours (32-bit floating point)"))
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        return on_white(image)
    return image.convert("RGB")


def on_white(picture: Image.Image) -> Image.Image:
    """As RGB, with white where it is transparent, as a page would show it."""
    picture = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")


def _upright(image: Image.Image) -> Image.Image:
    turn = _TURNS.get(_orientation(image))
    return image if turn is None else image.transpose(turn)


def _taken(image: Image.Image) -> str | None:
    """When the camera says it was taken, as "2026:05:31 14:03:59"; None where it doesn't."""
    if "exif" not in image.info:
        return None
    try:
        text = image.getexif().get_ifd(_EXIF_PART).get(_TAKEN)
    except Exception:  # as for the orientation
        return None
    return text.strip()[:19] if isinstance(text, str) and text.isprintable() and text.strip() else None


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 where there is none that can be read."""
    try:
        number = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # damaged notes of a camera, in whatever way Pillow trips over them; the picture itself may be whole
        return 1
    return number if number in _TURNS else 1

"""Files that can't be used, by what is the matter with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from transfer_core.advice.checks.check import Check, Evidence, Finding, Severity, found, picture
from transfer_core.data.file_facts import may_be_picture
from transfer_core.data.samples import Sample
from transfer_core.errors import ImageError
from transfer_core.i18n import ngettext
from transfer_core.images.decode import open_rgb
from transfer_core.images.formats import EXTENSIONS, MAX_BYTES, PHONE_EXTENSIONS

# Told apart by looking at the file once more, up to so many; folders full of other things are not gone through.
LOOKED_AT = 5_000


def left_out(evidence: Evidence) -> Iterable[Finding]:
    """A finding for each thing that is the matter with files; copies of held-out pictures are another check's."""
    by_matter: dict[str, list[Sample]] = {}
    copies = {sample.id for sample, _kept in evidence.leaked}
    unusable = (sample for sample in evidence.samples if sample.state == "out" and sample.id not in copies)
    for number, sample in enumerate(unusable):
        evidence.checkpoint()
        name = matter(sample.path, sample.label) if number < LOOKED_AT else "other-file"
        by_matter.setdefault(name, []).append(sample)
    for name, samples in by_matter.items():
        yield from found(name, (picture(sample, key=sample.relative) for sample in samples), example=samples[0].relative)


def matter(path: Path, label: str | None) -> str:
    """The check that a file falls under which could not be used; never raises."""
    try:
        size = path.stat().st_size
        if path.suffix.lower() in PHONE_EXTENSIONS:
            return "phone-format"
        if size == 0:
            return "empty"
        if size > MAX_BYTES:
            return "too-large"
        if not may_be_picture(path):
            return "not-a-picture"
        if label is None:
            return "stray"
        open_rgb(path)
    except ImageError as error:
        return _why(path, error.code)
    except OSError:
        return "unreadable"
    return "other-file"  # by itself it can be read: a link, a name that is no text


def _why(path: Path, code: str) -> str:
    """The check for a file that decoding refused with this code."""
    if code in ("missing", "unreadable"):
        return "unreadable"
    if code == "too-large" or (code == "not-a-picture" and path.suffix.lower() not in EXTENSIONS):
        return code
    return "truncated" if _ends_early(path) else "broken"


def _ends_early(path: Path) -> bool:
    """Whether it begins as a JPEG or PNG and lacks what every whole one ends with."""
    with path.open("rb") as file:
        begin = file.read(8)
        file.seek(max(0, path.stat().st_size - 64))
        end = file.read()
    marks = ((b"\xff\xd8\xff", b"\xff\xd9"), (b"\x89PNG", b"IEND"))
    return any(begin.startswith(first) and last not in end for first, last in marks)


def _tell(one: Callable[[int], str], finding: Finding) -> str:
    return one(finding.count).format(count=f"{finding.count:,}", example=finding.values.get("example", ""))


MATTERS: dict[str, tuple[Severity, Callable[[int], str]]] = {
    "broken": (
        "look",
        lambda count: ngettext(
            "{count} picture is damaged and left out, {example}: copy it again from where it came, or go on without it.",
            "{count} pictures are damaged and left out, such as {example}: copy them again from where they came, or go on "
            "without them.",
            count,
        ),
    ),
    "truncated": (
        "look",
        lambda count: ngettext(
            "{count} picture ends too early, as when copying was broken off, and is left out, {example}: copy it again.",
            "{count} pictures end too early, as when copying was broken off, and are left out, such as {example}: copy them "
            "again.",
            count,
        ),
    ),
    "empty": (
        "look",
        lambda count: ngettext(
            "{count} file is empty and left out, {example}: copy it again from where it came, or go on without it.",
            "{count} files are empty and left out, such as {example}: copy them again from where they came, or go on without "
            "them.",
            count,
        ),
    ),
    "unreadable": (
        "look",
        lambda count: ngettext(
            "{count} file may not be read and is left out, {example}: give yourself permission to read it, then look for new "
            "pictures.",
            "{count} files may not be read and are left out, such as {example}: give yourself permission to read them, then "
            "look for new pictures.",
            count,
        ),
    ),
    "phone-format": (
        "look",
        lambda count: ngettext(
            "{count} picture is in a telephone's own format, which can't be read, and is left out, {example}: save it as JPEG.",
            "{count} pictures are in a telephone's own format, which can't be read, and are left out, such as {example}: save "
            "them as JPEG.",
            count,
        ),
    ),
    "too-large": (
        "look",
        lambda count: ngettext(
            "{count} picture is too large to be read and left out, {example}: make a smaller copy of it.",
            "{count} pictures are too large to be read and left out, such as {example}: make smaller copies of them.",
            count,
        ),
    ),
    "stray": (
        "look",
        lambda count: ngettext(
            "Nothing says what {count} picture shows, so that it is left out, {example}: move it into a class's folder, or write "
            "it into the table.",
            "Nothing says what {count} pictures show, so that they are left out, such as {example}: move them into a class's "
            "folder, or write them into the table.",
            count,
        ),
    ),
    "not-a-picture": (
        "note",
        lambda count: ngettext(
            "{count} file is no picture and is left out, {example}: nothing has to be done, unless it should be one.",
            "{count} files are no pictures and are left out, such as {example}: nothing has to be done, unless they should be "
            "some.",
            count,
        ),
    ),
    "other-file": (
        "note",
        lambda count: ngettext(
            "{count} more file is left out, {example}: the list of what was left out says why.",
            "{count} more files are left out, such as {example}: the list of what was left out says why.",
            count,
        ),
    ),
}


def wrong_extension(evidence: Evidence) -> Iterable[Finding]:
    """Pictures whose name promises another format than they hold."""
    wrong = [sample for sample in evidence.used if sample.format and _promised(sample.path) not in (None, _family(sample.format))]
    example = wrong[0] if wrong else None
    return found(
        "wrong-extension",
        map(picture, wrong),
        example=example.path.name if example else "",
        format=example.format if example else "",
    )


def _promised(path: Path) -> str | None:
    """The format that a file's name promises."""
    extension = path.suffix.lower().lstrip(".")
    return {"jpg": "JPEG", "jpe": "JPEG", "jfif": "JPEG", "tif": "TIFF"}.get(extension, extension.upper()) or None


def _family(name: str) -> str:
    return "JPEG" if name == "MPO" else name


CHECKS = (
    *(
        # One pass tells them all apart, so it is one of them that looks.
        Check(name, severity, partial(_tell, words), ("keep",), (), left_out if name == "broken" else None)
        for name, (severity, words) in MATTERS.items()
    ),
    Check(
        "wrong-extension",
        "note",
        lambda finding: ngettext(
            "{count} picture has the name of another format than it holds, {example} is {format}: it is read as what it is, and "
            "nothing has to be done.",
            "{count} pictures have the name of another format than they hold, such as {example}, which is {format}: they are read "
            "as what they are, and nothing has to be done.",
            finding.count,
        ).format(count=f"{finding.count:,}", **finding.values),
        ("keep",),
        (),
        wrong_extension,
    ),
)

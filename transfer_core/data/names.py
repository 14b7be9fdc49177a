"""Classes and groups in file names, told by a pattern that people can read: `{class}_{number}`."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath

from transfer_core.data.reading import Reading
from transfer_core.errors import DataError
from transfer_core.i18n import _

FIELDS = ("class", "group", "number", "any")
# Parts of any length that one name may have: a pattern of three is through with a name of 255 characters in milliseconds, whatever
# the name. Numbers don't count, they give nothing back.
MOST_OPEN = 3
_LONGEST = 200  # characters of a pattern
_FIELD = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True)
class Told:
    """What a file name says."""

    label: str | None
    group: str | None


@dataclass(frozen=True)
class NameGuess:
    """A pattern that fits: on how many of the names, with how many of each class."""

    pattern: str
    fits: int
    classes: Counter[str]


class Pattern:
    """A pattern, ready to be held against names; raises DataError saying what is wrong with it.

    `{class}` and `{group}` are what is looked for, `{number}` stands for digits and `{any}` for anything; all else is itself. The ending
    of a file's name does not belong to it. With a slash in it, the folders above the file are held against its parts too.
    """

    def __init__(self, text: str):
        self.text = text.strip()
        if not self.text or len(self.text) > _LONGEST:
            raise _wrong(self.text, _("it needs between 1 and {most} characters").format(most=_LONGEST))
        self.fields = [name for part in self.text.split("/") for name in _fields(part, self.text)]
        for name in ("class", "group"):
            if self.fields.count(name) > 1:
                raise _wrong(self.text, _("{field} may stand in it only once").format(field="{" + name + "}"))
        if not {"class", "group"} & set(self.fields):
            raise _wrong(self.text, _("it says neither where the class is nor the group"))
        self._parts = [_compiled(part, self.text) for part in self.text.split("/")]

    def read(self, relative: str) -> Told | None:
        """What the name of a file, a path with slashes, says; None where it does not fit the pattern."""
        parts = relative.split("/")
        parts[-1] = PurePosixPath(parts[-1]).stem
        if len(parts) < len(self._parts):
            return None
        found: dict[str, str] = {}
        for expression, part in zip(self._parts, parts[len(parts) - len(self._parts) :], strict=True):
            match = expression.fullmatch(part)
            if match is None:
                return None
            found |= match.groupdict()
        return Told(*(_clean(found[name]) if name in found else None for name in ("label", "group")))


@lru_cache(maxsize=64)
def pattern(text: str) -> Pattern:
    """The pattern of this text, made once."""
    return Pattern(text)


def check_pattern(text: str, field: str) -> Pattern:
    """The pattern of this text, if `field` ("class" or "group") stands in it; raises DataError."""
    made = pattern(text)
    if field not in made.fields:
        raise _wrong(text, _("{field} is missing in it").format(field="{" + field + "}"))
    return made


def by_names(text: str, group: str | None = None) -> Reading:
    """The reading by a pattern for the class (and the group); raises DataError when it is none."""
    check_pattern(text, "class")
    if group:
        check_pattern(group, "group")
    return Reading(kind="names", pattern=text, group=group or None)


def _clean(text: str) -> str:
    return unicodedata.normalize("NFC", text.strip(" _-.")) or text


def _fields(part: str, whole: str) -> list[str]:
    names = _FIELD.findall(part)
    rest = _FIELD.sub("", part)
    if "{" in rest or "}" in rest:
        raise _wrong(whole, _("a brace is not closed or not opened"))
    unknown = [name for name in names if name not in FIELDS]
    if unknown:
        known = ", ".join("{" + name + "}" for name in FIELDS)
        raise _wrong(whole, _("{field} is not known; there are {known}").format(field="{" + unknown[0] + "}", known=known))
    if sum(name != "number" for name in names) > MOST_OPEN:
        raise _wrong(whole, _("more than {most} parts of it can be anything").format(most=MOST_OPEN))
    return names


def _compiled(part: str, whole: str) -> re.Pattern[str]:
    """The expression of a part without slashes: lazy fields, digits all or none, nothing that can be tried in many ways."""
    expression, place, before = "", 0, ""
    for match in _FIELD.finditer(part):
        literal, field = part[place : match.start()], match.group(1)
        if not literal and before and "number" not in (before, field):
            raise _wrong(whole, _("something must stand between two parts, such as _ or -"))
        if not literal and before == field == "number":
            raise _wrong(whole, _("something must stand between two parts, such as _ or -"))
        expression += re.escape(literal) + _EXPRESSIONS[field]
        place, before = match.end(), field
    expression += re.escape(part[place:])
    return re.compile(expression, re.DOTALL)


# Possessive: digits once taken are not given back, so that a name can't be tried in many ways.
_EXPRESSIONS = {"class": r"(?P<label>.+?)", "group": r"(?P<group>.+?)", "any": ".+?", "number": r"[0-9]++"}


def _wrong(text: str, reason: str) -> DataError:
    return DataError(
        _("The pattern {pattern} can't be used: {reason}.").format(pattern=text, reason=reason),
        code="bad-pattern",
        fix=_("Write it like {example}: {class_} is the class, {number} stands for digits and {any} for anything.").format(
            example="{class}_{number}", class_="{class}", number="{number}", any="{any}"
        ),
    )


# What cameras and programs call pictures: never a class.
_CAMERA = re.compile(
    r"(img|image|imagen|dsc|dscn|dscf|pxl|mvimg|dji|gopr|pic|picture|photo|foto|screenshot|scan|whatsapp image|p|file|frame|burst|sample)?"
    r"[\W_]*\d*",
    re.IGNORECASE,
)
_SEPARATORS = ("_", "-", ".", " ", "--", "__", " - ")
# From the plainest on; `~` is the separator. The first that fits well and gives sensible classes wins.
_SHAPES = (
    "{class}~{number}",
    "{class}{number}",
    "{class} ({number})",
    "{number}~{class}",
    "{number}{class}",
    "{any}~{number}~{class}",
    "{group}~{class}~{number}",
    "{any}~{class}~{number}",
    "{class}~{any}~{number}",
    "{any}~{class}",
    "{class}~{any}",
)
FITS = 0.9  # of the names, at least
_LOOKED_AT = 2000


def guess_patterns(names: Sequence[str], most: int = 3) -> list[NameGuess]:
    """Patterns by which file names tell at least two classes, the likeliest first; counts are of the first 2,000 names looked at."""
    looked = names[:_LOOKED_AT]
    found: list[NameGuess] = []
    for shape in _shapes(looked):
        told = [pattern(shape).read(name) for name in looked]
        labels = Counter(one.label for one in told if one and one.label)
        groups = Counter(one.group for one in told if one and one.group)
        if not _sensible(labels, len(looked)) or ("{group}" in shape and not _parts(groups, sum(labels.values()))):
            continue
        if any(labels == other.classes for other in found):
            continue
        found.append(NameGuess(shape, labels.total(), labels))
    # Sorting keeps the order of shapes among those that fit about as many names.
    found.sort(key=lambda guess: (-round(20 * guess.fits / max(1, len(looked))), _lean(guess)))
    return found[:most]


def _shapes(names: Iterable[str]) -> Iterator[str]:
    stems = [PurePosixPath(name).stem for name in names]
    used = [sign for sign in _SEPARATORS if sum(sign in stem for stem in stems) >= FITS * len(stems)]
    for shape in _SHAPES:
        if "~" not in shape:
            yield shape
        else:
            yield from (shape.replace("~", sign) for sign in sorted(used, key=len, reverse=True))


def _sensible(labels: Counter[str], names: int) -> bool:
    """Whether these can be classes: they cover the names, come again and again, and are words."""
    if not labels or labels.total() < FITS * names or not 2 <= len(labels) <= max(2, labels.total() // 2):
        return False
    words = sum(count for label, count in labels.items() if not _CAMERA.fullmatch(label) and not label.isdigit())
    return words >= FITS * labels.total()


def _parts(groups: Counter[str], names: int) -> bool:
    """Whether these can be patients or devices: several, each with several pictures."""
    return len(groups) >= 3 and groups.total() >= 2 * len(groups) and groups.total() >= FITS * names


def _lean(guess: NameGuess) -> int:
    """What speaks against a pattern that fits: few names a class, and digits in them, as when a date or a patient is taken in."""
    with_digits = sum(any(sign.isdigit() for sign in label) for label in guess.classes)
    return (len(guess.classes) > guess.fits / 4) + (with_digits > len(guess.classes) / 2)

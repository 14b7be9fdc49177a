"""Text on a page: names shown as data, never as markup; numbers, sizes and times as people say them."""

from __future__ import annotations

import re
import time
import unicodedata
from pathlib import Path

from transfer_core.i18n import _, ngettext

# Markdown takes a backslash before any of these as "this very character".
_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
# Streamlit looks for these once escapes are gone, so an invisible joiner breaks them up: emoji and icons between colons, arrows
# and other signs that stand alone, and addresses that become links.
_LATE = re.compile(r":(?=[\w+-]+:)|(?<!\S)[<>~-](?=[=>-]+(?!\S))|https?:(?=//)|www(?=\.)|@(?=\w)", re.IGNORECASE)
_JOINER = "\u2060"
_DIRECTIONS = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})


def plain(text: object) -> str:
    """`text` for a place that reads Markdown, so that it shows as it is."""
    return _PUNCTUATION.sub(r"\\\1", _LATE.sub(r"\g<0>" + _JOINER, one_line(text)))


def one_line(text: object) -> str:
    """`text` on one line, without characters that would steer how the text around it is laid out."""
    return "".join("\ufffd" if _steers(character) else character for character in str(text)).strip()


def _steers(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or unicodedata.bidirectional(character) in _DIRECTIONS


def percent(share: float, digits: int = 0) -> str:
    """A share in 0..1 as a percentage; never rounded up to all or down to nothing."""
    value = round(share * 100, digits)
    if value == 100 and share < 1 - 1e-9:
        value = 100 - 10**-digits
    if value == 0 and share > 0:
        return _("<{number} %").format(number=f"{10**-digits:.{digits}f}")
    return _("{number} %").format(number=f"{value:.{digits}f}")


def size(count: int) -> str:
    """A number of bytes."""
    value, units = float(count), ("B", "kB", "MB", "GB", "TB")
    for unit in units:
        if value < 1000 or unit == units[-1]:
            break
        value /= 1000
    return f"{value:.0f} {unit}" if value >= 10 or unit == "B" else f"{value:.1f} {unit}"


def brief_count(count: int) -> str:
    """A number of things for a narrow place: in thousands (k) or millions (M) where it is large."""
    if count < 10_000:
        return f"{count:,}"
    return f"{count / 1e3:,.0f} k" if count < 999_500 else f"{count / 1e6:,.1f} M"


def brief_duration(seconds: float) -> str:
    """About how long, for a narrow place."""
    if seconds < 99.5:
        return _("{count} s").format(count=max(1, round(seconds)))
    return (
        _("{count} min").format(count=round(seconds / 60))
        if seconds < 5970
        else _("{count} h").format(count=round(seconds / 3600))
    )


def duration(seconds: float) -> str:
    """A stretch of time."""
    whole = max(0, round(seconds))
    if whole < 60:
        return ngettext("{count} second", "{count} seconds", whole).format(count=whole)
    if whole < 3600:
        return _("{minutes} min {seconds} s").format(minutes=whole // 60, seconds=whole % 60)
    return _("{hours} h {minutes} min").format(hours=whole // 3600, minutes=whole % 3600 // 60)


def short_duration(seconds: float) -> str:
    """A stretch of time in its largest unit alone: where many are compared, the rest is noise."""
    if seconds < 1:
        return _("under 1 s")
    if seconds < 60:
        return _("{count} s").format(count=round(seconds))
    if seconds < 3600:
        return _("{count} min").format(count=round(seconds / 60))
    return _("{count} h").format(count=f"{seconds / 3600:.1f}".removesuffix(".0"))


def moment(stamp: float) -> str:
    """A date and time, on this computer's clock."""
    then, today = time.localtime(stamp), time.localtime()
    if then[:3] == today[:3]:
        return _("today {time}").format(time=time.strftime("%H:%M", then))
    return time.strftime("%Y-%m-%d %H:%M", then)


def pictures(count: int) -> str:
    """A number of pictures."""
    return ngettext("{count} picture", "{count} pictures", count).format(count=f"{count:,}")


def classes(count: int) -> str:
    """A number of classes."""
    return ngettext("{count} class", "{count} classes", count).format(count=count)


def purposes() -> dict[str, str]:
    """What a picture is for, by its split."""
    return {"train": _("for learning"), "val": _("for checking"), "test": _("for testing")}


def states() -> dict[str, str]:
    """How a picture is used, by its state."""
    return {"in": _("in use"), "excluded": _("excluded"), "out": _("can't be used")}


def use(state: str, split: str | None) -> str:
    """What a picture is used for, or that it is not."""
    return purposes().get(split or "", "") if state == "in" else states()[state]


def short_path(path: Path) -> str:
    """A path, with `~` for the home folder."""
    try:
        return f"~/{path.relative_to(Path.home()).as_posix()}".rstrip("/.") if path.is_relative_to(Path.home()) else str(path)
    except RuntimeError:  # no home folder is known
        return str(path)

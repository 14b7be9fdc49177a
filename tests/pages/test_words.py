from __future__ import annotations

import re

import pytest

from pages.ui import words


@pytest.mark.parametrize(
    "name",
    [
        "**bold**",
        "# head",
        "- list",
        "1. one",
        "[a](b)",
        "<b>",
        "`code`",
        ":red[hi]",
        "$x$",
        "a_b_c",
        "~~x~~",
        "a | b",
        "\\",
        "&amp;",
    ],
)
def test_markup_is_escaped(name: str) -> None:
    """Every character that Markdown gives a meaning has a backslash before it."""
    text = words.plain(name)
    assert not re.search(r"(?<!\\)[*#`\[\]<$~|&_]", re.sub(r"\\\\", "", text))
    assert re.sub(r"\\(.)", r"\1", text).replace("\u2060", "") == name


@pytest.mark.parametrize(
    "name", [":smile:", ":material_home:", "a -> b", "x -- y", "<->", "https://a.b", "www.a.b", "me@a.b", "a >= b"]
)
def test_what_is_replaced_after_escapes_is_broken_up(name: str) -> None:
    assert "\u2060" in words.plain(name)


@pytest.mark.parametrize("path", ["/data/my.pictures/a-b_c", r"C:\Users\me\x.y", "10:30", "a->b"])
def test_paths_can_be_copied(path: str) -> None:
    """Nothing invisible gets into what people copy."""
    assert "\u2060" not in words.plain(path)


def test_text_stays_on_one_line_and_runs_one_way() -> None:
    assert words.one_line("a\nb\x00c\u202egnp.exe") == "a\ufffdb\ufffdc\ufffdgnp.exe"
    assert words.one_line("نص فارسی‌ها") == "نص فارسی‌ها", "joiners that a script needs stay"


@pytest.mark.parametrize(
    ("share", "digits", "text"),
    [
        (0.5, 0, "50 %"),
        (0.997, 0, "99 %"),
        (1.0, 0, "100 %"),
        (0.001, 0, "<1 %"),
        (0.0, 0, "0 %"),
        (0.9999, 1, "99.9 %"),
        (0.123, 1, "12.3 %"),
    ],
)
def test_a_percentage_is_never_rounded_to_certainty(share: float, digits: int, text: str) -> None:
    assert words.percent(share, digits) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (14_258_536, "14 MB"), (2.5e9, "2.5 GB")]
)
def test_sizes(count: int, text: str) -> None:
    assert words.size(count) == text


@pytest.mark.parametrize(("seconds", "text"), [(1, "1 second"), (59.4, "59 seconds"), (61, "1 min 1 s"), (7260, "2 h 1 min")])
def test_durations(seconds: float, text: str) -> None:
    assert words.duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0"), (9_999, "9,999"), (12_345, "12 k"), (999_499, "999 k"), (999_500, "1.0 M"), (2_223_872, "2.2 M")],
)
def test_large_numbers_in_a_narrow_place(count: int, text: str) -> None:
    assert words.brief_count(count) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.1, "1 s"), (99, "99 s"), (100, "2 min"), (5_960, "99 min"), (7_000, "2 h")])
def test_about_how_long(seconds: float, text: str) -> None:
    assert words.brief_duration(seconds) == text

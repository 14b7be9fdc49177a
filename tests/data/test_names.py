"""Patterns in file names: what people can write, what is guessed, and that no name or pattern can hang the reader."""

from __future__ import annotations

import time

import pytest

from transfer_core.data.names import Told, by_names, check_pattern, guess_patterns, pattern
from transfer_core.errors import DataError

CASES = [
    ("{class}_{number}", "cat_001.jpg", ("cat", None)),
    ("{class}_{number}", "red_rose_001.jpg", ("red_rose", None)),
    ("{class}{number}", "b2cat001.jpg", ("b2cat", None)),
    ("{any}-{class}", "IMG_0012-dog.png", ("dog", None)),
    ("{class}.{number}", "rose.3.jpg", ("rose", None)),
    ("{class} ({number})", "red rose (12).jpeg", ("red rose", None)),
    ("{group}_{class}_{number}", "p07_cat_3.jpg", ("cat", "p07")),
    ("{group}_{number}", "deep/down/p07_3.jpg", (None, "p07")),
    ("{class}/{group}/{any}", "cat/p07/x.jpg", ("cat", "p07")),
    ("{class}/{any}", "far/away/cat/x.y.jpg", ("cat", None)),
    ("{number}{class}", "12cat.jpg", ("cat", None)),
    ("{class}+{number}", "a+1.jpg", ("a", None)),
    ("[{class}]*{number}", "[a]*1.jpg", ("a", None)),
    ("{class}_{number}", "向日葵_1.jpg", ("向日葵", None)),
    ("{class}_{number}", "cat.jpg", None),
    ("{class}_{number}", "cat_x.jpg", None),
    ("{class}/{any}", "x.jpg", None),
]


@pytest.mark.parametrize(("text", "name", "told"), CASES)
def test_a_pattern_reads_names(text: str, name: str, told: tuple[str | None, str | None] | None) -> None:
    """Fields take as little as they can, numbers all digits, and everything else is itself, not an expression."""
    assert pattern(text).read(name) == (None if told is None else Told(*told))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "cat",
        "{number}",
        "{klass}_{number}",
        "{class}_{class}",
        "{class}{any}",
        "{class}{group}",
        "{class",
        "class}",
        "{}",
        "{class}_{any}_{group}_{any}",
        "{class}_" + "x" * 300,
        "{{class}}",
    ],
)
def test_what_is_no_pattern_is_told(text: str) -> None:
    """A sentence with the pattern, what is wrong, and how to write one."""
    with pytest.raises(DataError) as caught:
        pattern(text)
    assert caught.value.code == "bad-pattern" and "{class}_{number}" in (caught.value.fix or "")


def test_a_group_is_asked_for() -> None:
    """A pattern for groups without a group, and one for classes without a class."""
    assert check_pattern("{group}_{any}", "group").read("a_b.jpg") == Told(None, "a")
    for text, field in (("{class}_{number}", "group"), ("{group}_{number}", "class")):
        with pytest.raises(DataError):
            check_pattern(text, field)
    with pytest.raises(DataError):
        by_names("{class}_{number}", "{class}")


def test_no_name_takes_long() -> None:
    """The worst names against the worst patterns that are allowed: many ways to try, and none of them fits."""
    names = ["_" * 250, "a_" * 125, "1" * 250, "_1" * 125, "a1" * 125 + "!", "-" * 120 + "_" * 120]
    began = time.monotonic()
    for text in (
        "{any}_{class}_{group}_{number}x",
        "{any}_{class}_{any}",
        "{class}{number}_{any}_{number}",
        "{number}_{class}{number}",
    ):
        for name in names:
            pattern(text).read(name + ".jpg")
    assert time.monotonic() - began < 5


def names(*templates: str, count: int = 6) -> list[str]:
    return [template.format(n=number) for template in templates for number in range(count)]


@pytest.mark.parametrize(
    ("given", "text", "classes"),
    [
        (names("cat_{n:03}.jpg", "dog_{n:03}.jpg"), "{class}_{number}", {"cat", "dog"}),
        (names("cat{n}.jpg", "dog{n}.jpg"), "{class}{number}", {"cat", "dog"}),
        (names("rose.{n}.jpg", "lily.{n}.png"), "{class}.{number}", {"rose", "lily"}),
        (names("IMG_{n:04}-dog.png", "IMG_1{n:03}-cat.png"), "{any}-{class}", {"cat", "dog"}),
        (names("red rose ({n}).jpg", "lily ({n}).jpg"), "{class} ({number})", {"red rose", "lily"}),
        (names("american_bulldog_{n}.jpg", "Abyssinian_{n}.jpg"), "{class}_{number}", {"american_bulldog", "Abyssinian"}),
        (names("{n}_cat.jpg", "{n}_dog.jpg"), "{number}_{class}", {"cat", "dog"}),
        (names(*(f"p{p}_{c}_{{n}}.jpg" for p in range(5) for c in ("cat", "dog"))), "{group}_{class}_{number}", {"cat", "dog"}),
    ],
)
def test_patterns_are_guessed(given: list[str], text: str, classes: set[str]) -> None:
    """The usual ways to put a class into a name."""
    best = guess_patterns(given)[0]
    assert best.pattern == text and set(best.classes) == classes and best.fits == len(given)


@pytest.mark.parametrize(
    "given",
    [
        names("IMG_{n:04}.jpg", count=40),
        names("DSC{n:05}.JPG", "IMG_{n}.JPG", count=20),
        names("2024-05-{n:02} 12.30.00.jpg", count=28),
        [f"{n * 7919:08x}.jpg" for n in range(40)],
        ["cat_1.jpg"],
        names("cat_{n}.jpg", count=30),
        [],
    ],
)
def test_no_pattern_where_there_is_none(given: list[str]) -> None:
    """What cameras write, dates, random names and a single class are no classes."""
    assert guess_patterns(given) == []

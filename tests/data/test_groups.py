"""Pictures that belong together: what follows from pairs and given groups, however they were found."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.data.test_samples import row
from transfer_core.data.groups import Pair, Union, keep_pairs, kept_pairs, regroup
from transfer_core.data.samples import SampleTable


@pytest.fixture
def table(tmp_path: Path) -> SampleTable:
    made = SampleTable(tmp_path / "samples.sqlite", [tmp_path])
    made.replace([row(f"cat/{name}", content=name) for name in "abefg"])
    made.replace([row(f"cat/{name}", content=name) for name in "cd"])
    return made


def together(table: SampleTable, *pairs: Pair) -> tuple[set[str], set[str]]:
    """The sets of copies and of groups with more than one member, as strings of names."""
    with table.connect() as connection:
        keep_pairs(connection, pairs)
        regroup(connection)
    sets: tuple[dict[str, str], dict[str, str]] = ({}, {})
    for sample in table.samples(state=None):
        for found, key in zip(sets, (sample.copies, sample.group), strict=True):
            found[key] = found.get(key, "") + sample.content
    return tuple({value for value in found.values() if len(value) > 1} for found in sets)  # type: ignore[return-value]


def test_unions_grow_together() -> None:
    """Chains and joins of sets in any order are one set; strangers are their own."""
    union = Union()
    for one, other in (("d", "e"), ("b", "c"), ("a", "b"), ("e", "c"), ("a", "a")):
        union.join(one, other)
    assert {union.find(name) for name in "abcde"} == {"a"} and union.find("z") == "z"


def test_copies_of_copies_are_copies_and_bursts_are_groups(table: SampleTable) -> None:
    """A burst holds its copies too, but is not itself one of copies."""
    pairs = [
        Pair("a", "b", "copy", 0.99),
        Pair("b", "c", "copy", 0.98),
        Pair("c", "d", "burst", 0.8),
        Pair("e", "f", "burst", 0.7),
    ]
    assert together(table, *pairs) == ({"abc"}, {"abcd", "ef"})
    with table.connect() as connection:
        assert [pair.first for pair in kept_pairs(connection)] == ["a", "b", "c", "e"]
        assert [pair.second for pair in kept_pairs(connection, "burst")] == ["d", "f"]


def test_a_given_group_holds_its_pictures_and_their_copies(table: SampleTable) -> None:
    """A patient's pictures, and those that copies tie to them; the same name in another source is another patient."""
    table.replace([row(f"cat/{name}", content=name, given_group="Ann") for name in "ab"])
    table.replace([row("cat/f", content="x", source=1, given_group="Ann"), row("cat/d", content="d", given_group="Bob")])
    assert together(table, Pair("b", "e", "copy", 1.0)) == ({"be"}, {"abe"})


def test_pairs_of_files_that_went_hold_nothing_together_wrongly(table: SampleTable) -> None:
    """They stay known, for when the file comes back, and do no harm: what they tied together still shows the same."""
    ids = {sample.content: sample.id for sample in table.samples(state=None)}
    table.replace([], gone=[ids["b"]])
    assert together(table, Pair("a", "b", "copy", 1.0), Pair("b", "c", "copy", 1.0)) == ({"ac"}, {"ac"})

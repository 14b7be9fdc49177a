"""How a reading is written down, and what is none."""

from __future__ import annotations

from typing import Any

import pytest

from transfer_core.data.names import by_names
from transfer_core.data.reading import Columns, Reading
from transfer_core.data.sources import reading_of, written
from transfer_core.errors import DataError

ALL = [
    Reading(),
    Reading(depth=3),
    Reading(depth="innermost"),
    Reading(depth="joined", group="{group}_{any}"),
    Reading("names", pattern="{class}_{number}"),
    Reading("table", table="labels.csv", columns=Columns("file", "label")),
    Reading("table", table="/x/labels.csv", columns=Columns("1", "2", "3", "4", False), group="{group}-{any}"),
    Reading("class", label="roses"),
]


@pytest.mark.parametrize("reading", ALL)
def test_written_and_read_again(reading: Reading) -> None:
    """As plain keys; the usual one needs none."""
    assert Reading.from_data(reading.as_data() | {"folder": "/x", "later": 1}) == reading
    assert Reading().as_data() == {}


@pytest.mark.parametrize(
    "data",
    [
        {"kind": "magic"},
        {"depth": 0},
        {"depth": "top"},
        {"depth": True},
        {"depth": 1.5},
        {"kind": "names"},
        {"kind": "table", "table": "x.csv"},
        {"kind": "table", "table": "x.csv", "columns": {"file": "a"}},
        {"kind": "class"},
        {"kind": "names", "pattern": 5},
    ],
)
def test_what_is_no_reading(data: dict[str, Any]) -> None:
    """Refused when it is made, so that a damaged project file is told as one."""
    with pytest.raises((ValueError, TypeError)):
        Reading.from_data(data)


@pytest.mark.parametrize("reading", [reading for reading in ALL if reading.kind in ("folders", "names") and not reading.group])
def test_what_people_write(reading: Reading) -> None:
    """The words of --labels and what they stand for."""
    assert reading_of(written(reading)) == reading
    assert reading_of("names:{any}-{class}") == by_names("{any}-{class}")


@pytest.mark.parametrize("text", ["", "folder", "0", "17", "-1", "names", "names:", "names:cat", "table:x.csv", "path:1", "²"])
def test_words_that_are_none(text: str) -> None:
    """A sentence with those there are."""
    with pytest.raises(DataError) as caught:
        reading_of(text)
    assert caught.value.fix

"""The documentation of settings is as the settings are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest

from transfer_core.training.settings import RunSettings

LINES = {
    match[1]: line
    for line in (Path(__file__).parents[2] / "docs" / "settings.md").read_text().splitlines()
    if (match := re.match(r"\| `(\w+)` \|", line))
}


def words(annotation: Any) -> list[str]:
    """The words that a choice is made among, also where a number may stand in their place."""
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    return [word for part in get_args(annotation) for word in words(part)]


def test_all_are_documented() -> None:
    """Every setting has a row, and every row a setting."""
    assert set(LINES) == set(RunSettings.model_fields)


@pytest.mark.parametrize("name", RunSettings.model_fields)
def test_row_is_right(name: str) -> None:
    """A row tells the default and, for a choice, every value there is."""
    field = RunSettings.model_fields[name]
    default = (
        "none" if field.default is None else str(field.default).lower() if isinstance(field.default, bool) else str(field.default)
    )
    assert default in LINES[name].split("|")[2]
    for choice in words(field.annotation) if isinstance(field.default, str) else ():
        assert f"`{choice}`" in LINES[name]
    assert field.description

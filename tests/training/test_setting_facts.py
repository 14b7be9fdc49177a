"""What is told of a setting is what its field takes."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from transfer_core.errors import SettingsError
from transfer_core.training.setting_facts import facts, group_title
from transfer_core.training.settings import Group, RunSettings


@pytest.mark.parametrize("name", RunSettings.model_fields)
def test_what_is_said_to_be_allowed_is_and_what_is_beyond_is_not(name: str) -> None:
    about = facts(name)
    for word in about.words:
        assert getattr(RunSettings(**{name: word}), name) == word
    assert about.default == getattr(RunSettings(), name)
    if about.number is None:
        assert about.least is about.most is None
        return
    for limit, out, step in ((about.least, about.above, -1), (about.most, about.below, 1)):
        assert limit is not None, f"{name} has no range"
        assert taken(name, about.number(limit)) is not out
        assert not taken(name, about.number(limit) + step)


def taken(name: str, value: Any) -> bool:
    try:
        RunSettings.check({name: value})
    except SettingsError:
        return False
    return True


def test_a_setting_may_take_words_and_numbers() -> None:
    freeze = facts("freeze")
    assert (freeze.words, freeze.number, freeze.least, freeze.most) == (("all", "last-stage", "none"), int, 0, 50)
    assert facts("mirror").truth and not facts("mirror").words and facts("weights").allowed == "text"


def test_every_group_has_a_title() -> None:
    titles = [group_title(group) for group in get_args(Group)]
    assert all(titles) and len(set(titles)) == len(titles)

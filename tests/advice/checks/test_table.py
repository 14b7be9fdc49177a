"""The table of checks: a clean set has no finding, every check has its sentence in every language, serious ones stand above notes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from transfer_core import i18n
from transfer_core.advice.checks.check import Finding, Item
from transfer_core.advice.checks.table import CHECKS
from transfer_core.advice.findings import in_order, sentence

VALUES = {
    "example": "a.jpg",
    "format": "JPEG",
    "size": "8 × 8",
    "few": 10,
    "most": 900,
    "largest": "cat",
    "share": 1.0,
    "others": 0.0,
}


def finding(check: str, count: int) -> Finding:
    return Finding(check, tuple(Item(str(number), number, "dog", to="cat") for number in range(count)), VALUES)


def test_a_clean_set_has_no_finding(look: Callable[..., dict[str, Finding]], pictures: Callable[..., Path]) -> None:
    assert look(pictures(count=14)) == {}


@pytest.mark.parametrize("language", i18n.LANGUAGES)
@pytest.mark.parametrize("check", CHECKS)
def test_every_check_says_a_whole_sentence(check: str, language: str) -> None:
    i18n.set_language(language)
    try:
        for count in (1, 2, 1200):
            text = sentence(finding(check, count))
            assert "{" not in text and text.endswith((".", "。"))
    finally:
        i18n.set_language("en")


def test_the_most_important_come_first() -> None:
    found = in_order(finding(check, 1) for check in reversed(CHECKS))
    severities = [CHECKS[each.check].severity for each in found]
    assert severities == sorted(severities, key=("serious", "look", "note").index) and severities[0] == "serious"


def test_whatever_is_found_can_be_kept_as_it_is() -> None:
    assert all("keep" in check.remedies for check in CHECKS.values())

"""`docs/events.md` tells of every event, and nothing announces one that the table does not have."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from transfer_core.runs.events import EVENTS, PHASES
from transfer_core.runs.phases import phase_title

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")


def announced() -> Iterator[tuple[str, str, list[str | None], ast.Call]]:
    """Every `emit("...")`, and every `write("...")` of the worker's writer: place, event, keywords."""
    for file in sorted((ROOT / "transfer_core").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant)):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            of_writer = name == "write" and ast.unparse(node.func) == "events.write"
            if name == "emit" or of_writer:
                place = f"{file.relative_to(ROOT)}:{node.lineno}"
                yield place, str(node.args[0].value), [keyword.arg for keyword in node.keywords], node


@pytest.mark.parametrize("name", EVENTS)
def test_every_event_is_documented(name: str) -> None:
    section = DOCS.split(f"## `{name}`\n", 1)
    assert len(section) == 2, f"docs/events.md has no section for {name}"
    text = section[1].split("\n## ", 1)[0]
    assert EVENTS[name].meaning in text
    for field, meaning in EVENTS[name].fields.items():
        assert f"| `{field}` | {meaning} |" in text


@pytest.mark.parametrize("name", PHASES)
def test_every_phase_is_documented_and_has_a_title(name: str) -> None:
    assert f"`{name}`" in DOCS
    assert phase_title(name) != name


def test_what_is_announced_is_known() -> None:
    found = list(announced())
    assert {event for _, event, _, _ in found} >= {"run_queued", "run_started", "run_failed"}
    for place, event, keywords, call in found:
        assert event in EVENTS, f"{place} announces {event}"
        unknown = {keyword for keyword in keywords if keyword} - set(EVENTS[event].fields)
        assert not unknown, f"{place} gives {event} the fields {unknown}"
        if event == "phase" and isinstance(call.keywords[0].value, ast.Constant):
            assert call.keywords[0].value.value in PHASES, place

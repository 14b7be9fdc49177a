from __future__ import annotations

import time
from typing import Any

import pytest

from transfer_core.training.context import Context, Stopped
from transfer_core.training.progress import Clock


def context(events: list[tuple[str, dict[str, Any]]], request: str | None = None) -> Context:
    return Context(None, None, None, lambda event, /, **fields: events.append((event, fields)), lambda: request)


def test_a_phase_is_announced_timed_and_tells_how_far_it_is() -> None:
    """Name, rate and time left, and the seconds of phases of one name added up, also when they end in an error."""
    clock, events = Clock(), []
    with clock.phase(context(events), "decode") as progress:
        time.sleep(0.02)
        progress(5, 20)
    with pytest.raises(ZeroDivisionError), clock.phase(context(events), "decode"):
        time.sleep(0.02)
        1 / 0  # noqa: B018
    assert [event for event, _ in events] == ["phase", "progress", "phase"]
    assert events[0][1] == {"name": "decode"}
    told = events[1][1]
    assert (told["done"], told["total"]) == (5, 20)
    assert told["eta_seconds"] == pytest.approx(15 / told["images_per_second"], abs=0.1)
    assert 0.04 <= clock.seconds["decode"] < 2


def test_nothing_done_yet_promises_nothing() -> None:
    """No rate and no time left before there is anything to measure them by."""
    events: list[tuple[str, dict[str, Any]]] = []
    with Clock().phase(context(events), "features") as progress:
        progress(0, 20)
    assert events[1][1]["images_per_second"] is None and events[1][1]["eta_seconds"] is None


def test_a_download_is_told_in_bytes() -> None:
    """Its speed is no number of pictures, and without a total there is no time left."""
    events: list[tuple[str, dict[str, Any]]] = []
    with Clock().phase(context(events), "weights") as progress:
        time.sleep(0.01)
        progress(5, 0)
    told = events[1][1]
    assert told["bytes_per_second"] > 0 and told["eta_seconds"] is None and "images_per_second" not in told


def test_a_phase_does_not_begin_after_a_stop_request() -> None:
    """The request is looked at before the phase is announced."""
    events: list[tuple[str, dict[str, Any]]] = []
    with pytest.raises(Stopped), Clock().phase(context(events, "stop"), "head"):
        pass
    assert events == []

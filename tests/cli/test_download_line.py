"""The line of a download: how much, how fast, how long; and nothing where nobody watches."""

from __future__ import annotations

import io

import pytest

from transfer_core.cli import download_line
from transfer_core.cli.download_line import DownloadLine, describe


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("done", "total", "speed", "text"),
    [
        (0, 0, 0.0, "net: 0.0 MB"),
        (5_000_000, 100_000_000, 0.0, "net: 5.0 MB of 100 MB"),
        (5_000_000, 100_000_000, 1e7, "net: 5.0 MB of 100 MB, 10 MB a second, 9.5 s left"),
        (5_000_000, 0, 2e6, "net: 5.0 MB, 2.0 MB a second"),
        (100, 100, 2e6, "net: all here, being checked"),
    ],
)
def test_one_line(done: int, total: int, speed: float, text: str) -> None:
    assert describe("net", done, total, speed) == text


def test_the_speed_is_of_what_came_lately_and_not_of_what_was_here(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0.0, 1.0, 2.0, 30.0, 31.0])
    monkeypatch.setattr(download_line.time, "monotonic", lambda: next(times))
    stream = Terminal()
    line = DownloadLine("net", stream)
    for done in (50_000_000, 51_000_000, 52_000_000, 53_000_000, 73_000_000):
        line(done, 100_000_000)
    drawn = [text.strip() for text in stream.getvalue().split("\r") if text.strip()]
    assert drawn[0] == "net: 50 MB of 100 MB"
    assert drawn[2] == "net: 52 MB of 100 MB, 1.0 MB a second, 48 s left"
    assert drawn[4] == "net: 73 MB of 100 MB, 20 MB a second, 1.4 s left"
    line.close()
    assert stream.getvalue().endswith(" \r")


def test_a_file_gets_nothing() -> None:
    stream = io.StringIO()
    line = DownloadLine("net", stream)
    line(1, 2)
    line.close()
    assert stream.getvalue() == ""

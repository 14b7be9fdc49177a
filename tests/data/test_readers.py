"""Reading by processes gives what reading by threads does, whatever the files are, and survives a process that is ended."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from transfer_core.data import readers as module
from transfer_core.data.file_facts import Facts
from transfer_core.data.readers import File, readers


@pytest.fixture
def files(tmp_path: Path, pictures) -> list[File]:
    """Pictures, and all that isn't one."""
    found = [File(str(path), path.stat().st_size) for path in sorted(pictures(count=4).rglob("*.jpg"))]
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.txt").write_text("no picture")
    odd = os.fsdecode(b"\xff\xfe.jpg")
    (tmp_path / odd).write_bytes(Path(found[0].path).read_bytes())
    others = [File(str(tmp_path / name), (tmp_path / name).stat().st_size) for name in ("empty.jpg", "text.txt", odd)]
    return [*found, *others, File(str(tmp_path / "gone.jpg"), 5), File("left out", 5, "a link")]


def answer(files: list[File]) -> list[Facts]:
    with readers() as read:
        return read(files)()


def test_processes_answer_as_threads_do(files: list[File], monkeypatch: pytest.MonkeyPatch) -> None:
    """In order, and with the same sentence for each bad file."""
    by_threads = answer(files)
    monkeypatch.setattr(module, "MANY", 1)
    monkeypatch.setattr(module, "CHUNK", 3)
    assert answer(files) == by_threads
    assert [facts.problem is None for facts in by_threads] == [True] * 12 + [False, False, True, False, False]
    assert by_threads[-1].problem == "a link" and by_threads[-2].forbidden


def test_a_process_that_is_ended_loses_nothing(files: list[File], monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory ran out, or somebody killed it: its files are read all the same."""
    expected = answer(files)
    monkeypatch.setattr(module, "MANY", 1)
    ask = module._Reader.ask

    def killed(reader: module._Reader, files: list[File]) -> list[Facts]:
        reader._process.kill()
        reader._process.wait()
        return ask(reader, files)

    monkeypatch.setattr(module._Reader, "ask", killed)
    assert answer(files) == expected


def test_a_process_that_ends_in_the_middle_of_a_line(files: list[File], monkeypatch: pytest.MonkeyPatch) -> None:
    """Half an answer is none."""
    expected = answer(files)
    monkeypatch.setattr(module, "MANY", 1)
    enter = module._Reader.__enter__

    def torn(reader: module._Reader) -> module._Reader:
        entered = enter(reader)
        assert reader._process.stdout
        reader._process.stdout.close()
        reader._process.stdout = io.BytesIO(b'[["12", 4')
        return entered

    monkeypatch.setattr(module._Reader, "__enter__", torn)
    assert answer(files) == expected

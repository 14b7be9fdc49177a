from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy
import pytest

from transfer_core.errors import StorageError
from transfer_core.runs.events import RESERVE, RESERVE_BYTES, EventReader, EventWriter, History, make_reserve


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


def names(events: list[dict]) -> list[str]:
    return [event["event"] for event in events]


def test_a_line_an_event(file: Path) -> None:
    with EventWriter(file) as events:
        events.write("run_started")
        events.write("epoch", step=numpy.int64(3), train_loss=float("nan"), val_loss=numpy.float32(0.5), file=Path("a"))
    lines = file.read_text().splitlines()
    assert len(lines) == 2
    epoch = json.loads(lines[1])
    assert epoch.pop("time") > 1e9
    assert epoch == {"event": "epoch", "step": 3, "train_loss": None, "val_loss": 0.5, "file": "a"}


def test_text_that_is_no_valid_unicode_is_written(file: Path) -> None:
    with EventWriter(file) as events:
        events.write("notice", message=os.fsdecode(b"caf\xe9.jpg"))
    assert "caf" in EventReader(file).read()[0]["message"]


def test_reader_gives_only_what_is_new(file: Path) -> None:
    reader = EventReader(file)
    assert reader.read() == []
    with EventWriter(file) as events:
        events.write("run_started")
        events.write("phase", name="scan")
        assert names(reader.read()) == ["run_started", "phase"]
        assert reader.read() == []
        events.write("run_stopped")
        assert names(reader.read()) == ["run_stopped"]


def test_torn_last_line_waits_for_its_rest(file: Path) -> None:
    reader = EventReader(file)
    whole = b'{"time": 1, "event": "phase", "name": "scan"}\n'
    file.write_bytes(whole + whole[:20])
    assert len(reader.read()) == 1
    assert reader.read() == []
    file.write_bytes(whole + whole)
    assert len(reader.read()) == 1


def test_writer_starts_a_line_of_its_own_after_a_torn_one(file: Path) -> None:
    file.write_bytes(b'{"time": 1, "event": "phase", "name": "scan"}\n{"time": 2, "ev')
    with EventWriter(file) as events:
        events.write("run_resumed", from_step=0)
    assert names(EventReader(file).read()) == ["phase", "run_resumed"]


@pytest.mark.parametrize(
    "line", [b"nonsense", b"[1]", b'{"event": "phase"}', b'{"time": 1}', b'{"time": "x", "event": "y"}', b"\xff"]
)
def test_what_is_no_event_is_passed_over(file: Path, line: bytes) -> None:
    file.write_bytes(line + b'\n{"time": 1, "event": "run_started"}\n')
    assert names(EventReader(file).read()) == ["run_started"]


def test_a_file_that_became_shorter_is_read_again(file: Path) -> None:
    reader = EventReader(file)
    with EventWriter(file) as events:
        events.write("run_started")
        events.write("notice", message="lost in a power cut")
        assert len(reader.read()) == 2
    file.write_bytes(file.read_bytes().splitlines(keepends=True)[0])
    assert names(reader.read()) == ["run_started"]
    assert reader.restarted
    assert reader.read() == [] and not reader.restarted


LIMITED = """
import resource, sys
from pathlib import Path
from transfer_core.errors import StorageError
from transfer_core.runs.events import EventWriter
file = Path(sys.argv[1])
with EventWriter(file) as events:
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size + 30, resource.RLIM_INFINITY))
    try:
        events.write("progress", done=1, total=2, images_per_second=1.0, eta_seconds=1.0)
    except StorageError as error:
        print(error.code, error.file)
    # Room again, as the reserve makes on a full disk.
    unlink = Path.unlink
    def give_room(path, missing_ok=False):
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        unlink(path, missing_ok)
    Path.unlink = give_room
    events.write("run_failed", error={"code": "disk-full"})
"""


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are POSIX's")
def test_a_full_disk_still_takes_the_last_word(file: Path) -> None:
    make_reserve(file.parent)
    assert (file.parent / RESERVE).stat().st_size == RESERVE_BYTES
    file.write_bytes(b'{"time": 1, "event": "run_started"}\n')
    result = subprocess.run([sys.executable, "-c", LIMITED, str(file)], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["disk-full", str(file)]
    assert names(EventReader(file).read()) == ["run_started", "run_failed"]
    assert not (file.parent / RESERVE).exists()


def test_a_disk_that_refuses_even_the_last_word(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with EventWriter(file) as events:
        monkeypatch.setattr(os, "write", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(StorageError):
            events.write("run_stopped")


def history(*events: dict) -> History:
    result = History()
    result.add([{"time": float(number), **event} for number, event in enumerate(events)])
    return result


def epoch(step: int) -> dict:
    return {"event": "epoch", "step": step}


def test_history() -> None:
    seen = history(
        {"event": "run_started"},
        {"event": "phase", "name": "decode"},
        {"event": "progress", "done": 1, "total": 2},
        {"event": "notice", "message": "Smaller batches."},
        {"event": "notice", "message": "Smaller batches."},
        {"event": "phase", "name": "train"},
        epoch(5),
        {"event": "from a newer program"},
    )
    assert seen.phases == {"decode": 1.0, "train": 5.0}
    assert seen.phase == "train" and seen.progress is None
    assert seen.notices == ["Smaller batches."]
    assert [event["step"] for event in seen.epochs] == [5]
    assert seen.last and seen.last["event"] == "from a newer program"


def test_resuming_drops_the_epochs_past_its_start() -> None:
    seen = history(epoch(5), epoch(10), epoch(15), {"event": "run_resumed", "from_step": 10}, epoch(15))
    assert [event["step"] for event in seen.epochs] == [5, 10, 15]
    assert seen.epochs[-1]["time"] == 4.0


def test_an_epoch_told_again_counts_once() -> None:
    """Killed after the telling and before it was kept that the epoch is finished, while all of its steps were kept before."""
    seen = history(epoch(5), epoch(10), {"event": "run_resumed", "from_step": 10}, epoch(10), epoch(15))
    assert [(event["step"], event["time"]) for event in seen.epochs] == [(5, 0.0), (10, 3.0), (15, 4.0)]


def test_resuming_forgets_the_error() -> None:
    seen = history({"event": "run_failed", "error": {"code": "x"}}, {"event": "run_resumed", "from_step": 0})
    assert seen.error is None

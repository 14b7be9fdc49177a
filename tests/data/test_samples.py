from __future__ import annotations

import multiprocessing
import sqlite3
from pathlib import Path

import pytest

from transfer_core.data.samples import ClassCount, SampleTable
from transfer_core.errors import DataError, StorageError


def row(relative: str, **changes: object) -> dict[str, object]:
    return {
        "source": 0,
        "relative": relative,
        "label": relative.split("/")[0],
        "given_split": None,
        "content": relative.encode().hex(),
        "size": 10,
        "mtime_ns": 20,
        "width": 4,
        "height": 3,
        "format": "PNG",
        "state": "in",
        "reason": None,
    } | changes


@pytest.fixture
def table(tmp_path: Path) -> SampleTable:
    made = SampleTable(tmp_path / "samples.sqlite", [tmp_path / "one", tmp_path / "two"])
    made.replace([row(f"{label}/{n}") for label in ("dog", "cat") for n in range(3)])
    made.replace([row("cat/9", source=1), row("bad", label=None, state="out", content=None, reason="no picture")])
    return made


def test_samples_can_be_asked_for_in_parts(table: SampleTable, tmp_path: Path) -> None:
    """Filters and pages agree with the whole, in one fixed order."""
    everything = table.samples(state=None)
    assert [s.relative for s in table.samples()] == ["cat/0", "cat/1", "cat/2", "cat/9", "dog/0", "dog/1", "dog/2"]
    assert table.samples(label="dog") == [s for s in everything if s.label == "dog"]
    assert table.samples(offset=2, limit=3) == table.samples()[2:5]
    assert table.samples(offset=100) == []
    assert (table.count(), table.count(label="cat"), table.count(state="out"), table.count(state=None)) == (7, 4, 1, 8)
    assert table.samples(label="cat")[-1].path == tmp_path / "two" / "cat/9"
    assert table.left_out()[0].reason == "no picture" and table.left_out()[0].content == ""


def test_classes_count_by_split(table: SampleTable) -> None:
    """The numbers a page shows: by split, and what was left out of each class."""
    ids = {s.relative: s.id for s in table.samples()}
    table.set_splits({ids["cat/0"]: "val", ids["cat/1"]: "test", ids["cat/2"]: "train", ids["dog/0"]: "train"})
    table.leave_out([ids["cat/9"], ids["dog/1"], ids["dog/2"]], "blurred")
    assert table.classes() == [
        ClassCount("cat", train=1, val=1, test=1, total=3, left_out=1),
        ClassCount("dog", train=1, val=0, test=0, total=1, left_out=2),
    ]
    assert {s.reason for s in table.left_out()} == {"blurred", "no picture"}
    table.leave_out([ids["dog/0"]], "blurred")
    assert [count.label for count in table.classes()] == ["cat"]


def test_writing_a_row_again_keeps_its_split_and_id(table: SampleTable) -> None:
    """A file that was touched keeps its place in the split; one that went is dropped."""
    before = table.samples(label="dog")[0]
    table.set_splits({before.id: "test"})
    table.replace([row("dog/0", size=11, content="ff")], gone=[table.samples(label="dog")[1].id])
    after = table.samples(label="dog")
    assert (after[0].id, after[0].split, after[0].content, after[0].size) == (before.id, "test", "ff", 11)
    assert [s.relative for s in after] == ["dog/0", "dog/2"]


def test_a_failed_write_changes_nothing(table: SampleTable) -> None:
    """All rows of a write or none: a reader never sees half of it."""
    with pytest.raises(DataError):
        table.replace([row("cat/new"), row("cat/bad", state="neither")])
    assert table.count(label="cat") == 4


@pytest.mark.parametrize("content", [b"this is no database, however long it may be" * 50, b""])
def test_a_damaged_table_is_a_sentence(tmp_path: Path, content: bytes) -> None:
    """Garbage in the file's place is a DataError that names it; an empty file is a table to be filled."""
    file = tmp_path / "samples.sqlite"
    file.write_bytes(content)
    if not content:
        assert SampleTable(file, []).count() == 0
        return
    with pytest.raises(DataError) as caught:
        SampleTable(file, []).count()
    assert caught.value.file == str(file) and caught.value.fix


def test_a_full_disk_is_told_as_one(table: SampleTable) -> None:
    """SQLite's way of saying so becomes ours, and the table is as it was."""
    with pytest.raises(StorageError) as caught, table.connect() as connection:
        connection.execute("PRAGMA max_page_count=1")
        connection.executemany(
            "INSERT INTO samples (source, relative, size, mtime_ns, state) VALUES (5, ?, 1, 1, 'in')",
            [("x" * 900 + str(n),) for n in range(900)],
        )
    assert caught.value.code == "disk-full"
    assert table.count() == 7


def test_a_folder_that_is_gone_is_a_sentence(tmp_path: Path) -> None:
    """The project was deleted under an open page."""
    with pytest.raises(DataError):
        SampleTable(tmp_path / "gone" / "samples.sqlite", []).count()


def add_many(file: Path, source: int) -> None:
    table = SampleTable(file, [])
    for number in range(25):
        table.replace([row(f"cat/{number}", source=source)])


def test_pages_and_workers_write_at_the_same_time(tmp_path: Path) -> None:
    """Two processes and a reader: nobody is told that the table is locked, and nothing is lost."""
    file = tmp_path / "samples.sqlite"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=add_many, args=(file, source)) for source in range(2)]
    for writer in writers:
        writer.start()
    counts = []
    while any(writer.is_alive() for writer in writers):
        counts.append(SampleTable(file, []).count())
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert counts == sorted(counts)
    assert SampleTable(file, []).count() == 50


def test_the_file_says_its_version_and_lets_readers_read(table: SampleTable) -> None:
    """Later versions tell by it what to upgrade; in WAL mode a page reads while a scan writes."""
    connection = sqlite3.connect(table.file)
    assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    with table.connect() as writer:
        writer.execute("DELETE FROM samples")
        assert SampleTable(table.file, table.roots).count() == 7
    assert table.count() == 0

from __future__ import annotations

import multiprocessing
import sqlite3
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from transfer_core.data.samples import ClassCount, SampleTable
from transfer_core.data.settle import settle
from transfer_core.data.split import Shares
from transfer_core.errors import DataError, ImageError, StorageError

NONE_HELD_OUT = Shares(0.0, 0.0)


def row(relative: str, **changes: object) -> dict[str, object]:
    return {
        "source": 0,
        "relative": relative,
        "given_label": relative.split("/")[0],
        "given_split": None,
        "given_group": None,
        "content": relative.encode().hex(),
        "size": 10,
        "mtime_ns": 20,
        "width": 4,
        "height": 3,
        "format": "PNG",
        "mode": "RGB",
        "orientation": 1,
        "animated": False,
        "taken": None,
        "problem": None,
    } | changes


@pytest.fixture
def table(tmp_path: Path) -> SampleTable:
    made = SampleTable(tmp_path / "samples.sqlite", [tmp_path / "one", tmp_path / "two"])
    made.replace([row(f"{label}/{n}") for label in ("dog", "cat") for n in range(3)])
    made.replace([row("cat/9", source=1), row("bad", given_label=None, content=None, problem="no picture")])
    settle(made, NONE_HELD_OUT)
    return made


def split(table: SampleTable, **splits: str) -> None:
    with table.connect() as connection:
        connection.executemany(
            "UPDATE samples SET split = ? WHERE relative = ?", [(value, key.replace("_", "/")) for key, value in splits.items()]
        )


def exclude(table: SampleTable, *relatives: str) -> None:
    with table.connect() as connection:
        connection.executemany("UPDATE samples SET state = 'excluded' WHERE relative = ?", [(name,) for name in relatives])


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


def test_samples_of_a_large_set_take_little_memory(table: SampleTable) -> None:
    """What many samples have in common is there once; at 100,000 of them it would be another 80 MB."""
    table.replace([row(f"dog/a picture with a name of its own {n}.jpg") for n in range(2000)])
    settle(table, NONE_HELD_OUT)
    tracemalloc.start()
    try:
        samples = table.samples()
        taken = tracemalloc.get_traced_memory()[0] / len(samples)
    finally:
        tracemalloc.stop()
    assert len(samples) == 2007 and taken < 800, f"{taken:.0f} bytes a sample"


def test_classes_count_by_split(table: SampleTable) -> None:
    """The numbers a page shows: by split, and what was left out of each class."""
    split(table, cat_0="val", cat_1="test", cat_2="train", dog_0="train")
    table.mark_broken([(row(name)["content"], ImageError("blurred")) for name in ("cat/9", "dog/1")])
    exclude(table, "dog/2")
    assert table.classes() == [
        ClassCount("cat", train=1, val=1, test=1, total=3, left_out=1),
        ClassCount("dog", train=1, val=0, test=0, total=1, left_out=1, excluded=1),
    ]
    assert {s.reason for s in table.left_out()} == {"blurred", "no picture"}
    exclude(table, "dog/0")
    assert [count.label for count in table.classes()] == ["cat"]


def test_writing_a_row_again_keeps_its_split_and_id(table: SampleTable) -> None:
    """A file that was touched keeps its place in the split; one that went is dropped."""
    before = table.samples(label="dog")[0]
    split(table, dog_0="test")
    table.replace([row("dog/0", size=11, content="ff")], gone=[table.samples(label="dog")[1].id])
    assert not table.settled()
    after = table.samples(label="dog")
    assert (after[0].id, after[0].split, after[0].content, after[0].size) == (before.id, "test", "ff", 11)
    assert [s.relative for s in after] == ["dog/0", "dog/2"]


def test_a_failed_write_changes_nothing(table: SampleTable) -> None:
    """All rows of a write or none: a reader never sees half of it."""
    with pytest.raises(DataError):
        table.replace([row("cat/new"), row("cat/bad", size=None)])
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
        counts.append(SampleTable(file, []).count(state=None))
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert counts == sorted(counts)
    assert SampleTable(file, []).count(state=None) == 50


def test_the_file_says_its_version_and_lets_readers_read(table: SampleTable) -> None:
    """Later versions tell by it what to upgrade; in WAL mode a page reads while a scan writes."""
    connection = sqlite3.connect(table.file)
    assert connection.execute("PRAGMA user_version").fetchone() == (2,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    with table.connect() as writer:
        writer.execute("DELETE FROM samples")
        assert SampleTable(table.file, table.roots).count() == 7
    assert table.count() == 0


def test_samples_are_found_by_name_and_by_id(table: SampleTable) -> None:
    """A part of the file's name or folder, in any case; ids in any number."""
    assert [s.relative for s in table.samples(search="OG/1")] == ["dog/1"]
    assert table.count(search="dog", state=None) == 3 and table.count(search="%") == 0
    ids = [s.id for s in table.samples(label="cat")]
    assert [s.id for s in table.samples(ids=[*ids, 10**6])] == ids
    assert table.count(ids=range(100_000)) == 7 and table.count(ids=[]) == 0


OLD = """
CREATE TABLE samples (
  id INTEGER PRIMARY KEY, source INTEGER NOT NULL, relative TEXT NOT NULL, label TEXT, given_split TEXT, split TEXT, content TEXT,
  size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, width INTEGER, height INTEGER, format TEXT,
  state TEXT NOT NULL CHECK (state IN ('in', 'out')), reason TEXT, UNIQUE (source, relative)
);
CREATE INDEX samples_by_class ON samples (state, label, split);
CREATE INDEX samples_by_content ON samples (content);
INSERT INTO samples VALUES (3, 0, 'cat/1', 'cat', NULL, 'test', 'aa', 5, 6, 7, 8, 'PNG', 'in', NULL);
INSERT INTO samples VALUES (4, 0, 'cat/2', 'cat', NULL, NULL, 'bb', 5, 6, 7, 8, 'PNG', 'out', 'the same picture is elsewhere');
INSERT INTO samples VALUES (5, 0, 'cat/3', 'cat', NULL, NULL, NULL, 5, 6, NULL, NULL, NULL, 'out', 'the file is empty');
PRAGMA user_version=1;
"""


def test_a_table_of_an_earlier_program_is_read(tmp_path: Path) -> None:
    """Nothing is lost: classes, splits, reasons and numbers are those they were; what was left out for a copy is looked at anew."""
    file = tmp_path / "samples.sqlite"
    connection = sqlite3.connect(file)
    connection.executescript(OLD)
    connection.close()
    table = SampleTable(file, [tmp_path])
    settle(table, Shares())
    assert [(s.id, s.label, s.given_label, s.split, s.state, s.reason) for s in table.samples(state=None)] == [
        (3, "cat", "cat", "test", "in", None),
        (4, "cat", "cat", "train", "in", None),
        (5, "cat", "cat", None, "out", "the file is empty"),
    ]


def test_a_table_of_a_later_program_is_refused(table: SampleTable) -> None:
    """It may hold what this program would destroy."""
    connection = sqlite3.connect(table.file)
    connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(DataError) as caught:
        table.count()
    assert caught.value.code == "newer-schema"


def test_what_pages_look_at_all_at_once(table: SampleTable) -> None:
    """Excluded pictures have a place on a map too; those in use are found by content; an edit does not change the extent."""
    exclude(table, "cat/1")
    assert {(content, label) for _id, content, label in table.usable()} == {
        (s.content, s.label) for state in ("in", "excluded") for s in table.samples(state=state)
    }
    asked = [row("cat/0")["content"], row("cat/1")["content"], "ff"]
    found = table.of_contents([str(content) for content in asked])
    assert [(label, relative) for _id, _content, label, relative in found] == [("cat", "cat/0")]
    before = table.extent()
    assert before == (8, max(s.id for s in table.samples(state=None)))
    exclude(table, "cat/2")
    assert table.extent() == before
    table.replace([row("cat/new")])
    assert table.extent() != before


def test_examples_are_from_all_over_a_class_and_always_the_same(table: SampleTable) -> None:
    table.replace([row(f"cat/more{n}", content=f"{97 * n % 256:02x}") for n in range(40)])
    settle(table, NONE_HELD_OUT)
    exclude(table, "dog/0")
    examples = table.examples(["cat", "dog", "none"], 8)
    assert [len(examples[label]) for label in ("cat", "dog", "none")] == [8, 2, 0]
    assert all(sample.label == label and sample.state == "in" for label, few in examples.items() for sample in few)
    assert examples == table.examples(["cat", "dog", "none"], 8)
    assert [s.relative for s in examples["cat"]] != [s.relative for s in table.samples(label="cat", limit=8)]


@pytest.mark.parametrize(
    "asked",
    [{}, {"state": None}, {"label": "cat"}, {"split": "val"}, {"state": "excluded"}, {"label": "cat", "split": "train"}],
    ids=str,
)
def test_a_page_is_found_without_sorting(table: SampleTable, asked: dict[str, str | None]) -> None:
    """Of 100,000 pictures the last page comes as quickly as the first: the table is walked in an order that is there already."""
    statements: list[str] = []
    plain = table.connect

    @contextmanager
    def traced() -> Iterator[sqlite3.Connection]:
        with plain() as connection:
            connection.set_trace_callback(statements.append)
            yield connection

    table.connect = traced  # type: ignore[method-assign]
    table.samples(**asked, offset=2, limit=2)  # type: ignore[arg-type]
    table.count(**asked)  # type: ignore[arg-type]
    with plain() as connection:
        asking = [statement for statement in statements if statement.startswith("SELECT")]
        plans = [row[3] for statement in asking for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}")]
    assert len(asking) == 2 and all("INDEX" in plan for plan in plans), plans
    assert not [plan for plan in plans if "TEMP B-TREE" in plan]


def test_search_knows_every_alphabet(table: SampleTable) -> None:
    """Upper and lower case are one, also beyond ASCII, and an umlaut of two signs, as a Mac writes it, is that of one."""
    names = ["cat/\u00c4pfel.png", "cat/A\u0308hre.png", "cat/\u041a\u041e\u0422.png", "cat/\u732b.png"]
    table.replace([row(name, given_label="cat") for name in names])
    settle(table, NONE_HELD_OUT)
    found = {
        word: [sample.relative for sample in table.samples(search=word)] for word in ("\u00e4", "\u043a\u043e\u0442", "\u732b")
    }
    assert [sorted(each) for each in found.values()] == [sorted(names[:2]), names[2:3], names[3:]]

"""Tables of file and class as programs write them: any delimiter, encoding and order of columns, and lines that are wrong."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest

from transfer_core.data import tables
from transfer_core.data.layout import Found
from transfer_core.data.project import Project
from transfer_core.data.reading import Columns
from transfer_core.data.scan import scan
from transfer_core.data.sources import found_in, source_of_table
from transfer_core.errors import DataError


@pytest.fixture
def root(tmp_path: Path, draw) -> Path:
    return draw(tmp_path / "data", *(f"images/{n}.png" for n in range(6)))


def write(root: Path, text: str | bytes, name: str = "labels.csv") -> Path:
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


def found(file: Path) -> dict[str, Found]:
    return {one.relative: one for one in found_in(source_of_table(file))}


def labels(file: Path) -> dict[str, str | None]:
    return {name: one.label for name, one in found(file).items() if one.reason is None}


BODY = [("images/0.png", "cat"), ("images/1.png", "dog"), ("images/2.png", "cat"), ("images/3.png", "dog")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be-mark"])
@pytest.mark.parametrize("titles", [True, False])
def test_whatever_a_spreadsheet_writes(root: Path, delimiter: str, encoding: str, titles: bool) -> None:
    """Delimiters, marks of encodings, Windows' ends of lines, with and without a line of titles."""
    lines = [("file", "label"), *BODY] if titles else BODY
    text = "".join(delimiter.join(line) + "\r\n" for line in lines)
    data = b"\xfe\xff" + text.encode("utf-16-be") if encoding == "utf-16-be-mark" else text.encode(encoding)
    assert labels(write(root, data)) == dict(BODY)


@pytest.mark.parametrize(("encoding", "label"), [("cp1252", "Löwenzahn"), ("gb18030", "向日葵"), ("utf-8", "向日葵 ü")])
def test_text_of_old_programs(root: Path, encoding: str, label: str) -> None:
    """Western and Chinese Windows save without saying how."""
    text = "file,label\n" + "".join(f"images/{n}.png,{label if n % 2 else 'rose'}\n" for n in range(6))
    assert set(labels(write(root, text.encode(encoding))).values()) == {label, "rose"}


def test_quotes_commas_and_line_ends_in_cells(root: Path, draw) -> None:
    """A class may have a comma, a quote or a line end in it."""
    draw(root, 'images/a, "b".png')
    file = write(root, 'label,file\n"big, red","images/a, ""b"".png"\n"small\nblue",images/0.png\n"big, red",images/1.png\n')
    assert labels(file) == {'images/a, "b".png': "big, red", "images/0.png": "small\nblue", "images/1.png": "big, red"}


def test_columns_are_guessed_among_others(root: Path) -> None:
    """Ages, remarks and numbers stand beside; split and group are found by title and content."""
    lines = ["id,age,image_name,sex,diagnosis,patient_id,split"]
    lines += [
        f"{n},{20 + n},images/{n}.png,{'fm'[n % 2]},{'nevus' if n < 3 else 'melanoma'},p{n // 2},{'test' if n > 4 else 'train'}"
        for n in range(6)
    ]
    file = write(root, "\n".join(lines))
    assert source_of_table(file).reading.columns == Columns("image_name", "diagnosis", "split", "patient_id")
    one = found(file)["images/5.png"]
    assert (one.label, one.split, one.group) == ("melanoma", "test", "p2")


def test_without_titles_words_come_before_numbers(root: Path) -> None:
    """Columns have numbers then, and the class is the one of few different words."""
    file = write(root, "".join(f"{n},0.{n}5,images/{n}.png,{'cat' if n % 2 else 'dog'}\n" for n in range(6)))
    assert source_of_table(file).reading.columns == Columns("3", "4", None, None, False)


def test_a_column_of_train_and_test_may_be_the_class(root: Path) -> None:
    """Vehicles and exams: where no other column is left, it is the class; beside one, the split."""
    file = write(root, "picture,what\nimages/0.png,train\nimages/1.png,test\nimages/2.png,train\n")
    assert source_of_table(file).reading.columns == Columns("picture", "what")
    file = write(root, "picture,kind,what\nimages/0.png,cat,train\nimages/1.png,dog,test\nimages/2.png,cat,train\n")
    assert source_of_table(file).reading.columns == Columns("picture", "kind", "what")


@pytest.mark.parametrize(
    "given", ["{n}.png", "{n}", "/somewhere/else/{n}.png", "C:\\pictures\\{n}.PNG", "old/images/{n}.png", "images\\{n}.png"]
)
def test_files_are_found_by_their_name(root: Path, given: str) -> None:
    """The table was made on another computer, or names files without folder or ending."""
    file = write(root, "file,label\n" + "".join(f"{given.format(n=n)},{'cat' if n % 2 else 'dog'}\n" for n in range(6)))
    if given == "{n}":  # nothing says that these are files, were it not for the folder
        assert tables.guess_columns(tables.read_table(file)) is None
    assert set(labels(file)) == {f"images/{n}.png" for n in range(6)}


def test_absolute_paths_and_a_table_elsewhere(root: Path, tmp_path: Path) -> None:
    """The folder of the source is then the one that most lines agree on, and what lies outside of it is told."""
    (tmp_path / "secret.png").write_bytes(b"x")
    lines = [f"{root}/images/{n}.png,{'cat' if n % 2 else 'dog'}" for n in range(6)]
    file = write(tmp_path / "tables", "file,label\n" + "\n".join([*lines, f"{tmp_path}/secret.png,cat", "../secret.png,cat"]))
    source = source_of_table(file)
    assert source.folder == root / "images" and source.reading.table == str(file)
    told = found(file)
    assert sum(one.reason is None for one in told.values()) == 6
    assert "outside" in (told[f"{tmp_path}/secret.png"].reason or "")
    assert "leads out" in (told["../secret.png"].reason or "")


def test_a_path_that_climbs_out_is_told(root: Path, tmp_path: Path) -> None:
    """By dots or by a link, from a table that may have come in an archive."""
    (tmp_path / "secret.png").write_bytes(b"x")
    lines = ["file,label", *(f"{file},{label}" for file, label in BODY), "../secret.png,cat", "images/../../secret.png,dog"]
    with contextlib.suppress(OSError):
        (root / "images" / "link.png").symlink_to(tmp_path / "secret.png")
        lines.append("images/link.png,cat")
    told = found(write(root, "\n".join(lines)))
    bad = {name: one.reason for name, one in told.items() if one.reason}
    assert set(bad) >= {"../secret.png", "images/../../secret.png"} and all(
        "out of the folder" in reason for reason in bad.values()
    )
    assert len(told) - len(bad) == 4


def test_lines_that_are_wrong_are_told(root: Path, draw) -> None:
    """Missing files, no class, two classes, the same line twice, two files of a name, and names that can't be."""
    draw(root, "a/same.png", "b/same.png")
    file = write(
        root,
        "file,label\nimages/0.png,cat\nimages/0.png,cat\nimages/1.png,dog\nimages/1.png,cat\nimages/2.png,\ngone.png,cat\n"
        "same.png,dog\nimages/3.png,dog\n,cat\n\n" + "x" * 3000 + ".png,cat\nimages/4.png," + "y" * 300 + "\nimages/\0.png,cat\n",
    )
    told = found(file)
    assert {name for name, one in told.items() if one.reason is None} == {"images/0.png", "images/3.png"}
    for name, words in {
        "images/1.png": "two classes, dog and cat",
        "images/2.png": "no class for it (line 6)",
        "gone.png": "not there",
        "same.png": "2 files of this name",
        "images/4.png": "longer than",
        "images/?.png": "not valid text",
    }.items():
        assert words in (told[name].reason or ""), name


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n\n",
        b"one column\nonly\n",
        b"a,b\n",
        b"a,b\n1,2\n3,4\n",
        os.urandom(2000),
        b"\xff\xfe\x00",
        b"\0" * 500,
        b"file,label\n" + b'"' + b"x" * 200_000,
    ],
)
def test_what_is_no_such_table(root: Path, data: bytes) -> None:
    """Empty, random, without files or without classes: a sentence that names it."""
    file = write(root, data)
    with pytest.raises(DataError) as caught:
        list(found_in(source_of_table(file)))
    assert caught.value.file and "labels.csv" in caught.value.file and caught.value.fix


def test_a_table_that_went_or_changed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its columns are looked up by title at every reading; one that is missing is named with those there are."""
    file = write(root, "file,label,more\n" + "".join(f"{name},{label},1\n" for name, label in BODY))
    source = source_of_table(file)
    write(root, "more,label,file\n" + "".join(f"1,{label},{name}\n" for name, label in BODY))
    assert {one.relative: one.label for one in found_in(source)} == dict(BODY)
    write(root, "more,class,file\n" + "".join(f"1,{label},{name}\n" for name, label in BODY))
    with pytest.raises(DataError) as caught:
        list(found_in(source))
    assert caught.value.code == "no-such-column" and "class" in (caught.value.fix or "")
    file.unlink()
    with pytest.raises(DataError) as caught:
        list(found_in(source))
    assert caught.value.code == "no-such-table"
    write(root, "x" * 100)
    monkeypatch.setattr(tables, "MAX_BYTES", 10)
    with pytest.raises(DataError):
        list(found_in(source))


def test_a_table_asks_for_nothing_outside(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether a file elsewhere exists is not even looked up: what a table from elsewhere is told must not depend on it."""
    (tmp_path / "secret.png").write_bytes(b"x")
    outside = [f"{tmp_path}/secret.png", f"{tmp_path}/none.png", "../secret.png", "../none.png", "//server/share/x.png"]
    file = write(
        root, "file,label\n" + "".join(f"{name},{label}\n" for name, label in [*BODY, *((name, "cat") for name in outside)])
    )
    asked: list[str] = []
    isfile = os.path.isfile
    monkeypatch.setattr(os.path, "isfile", lambda path: asked.append(os.path.abspath(path)) or isfile(path))  # noqa: PTH100
    told = {one.relative: one.reason for one in tables.walk_table(root, file, Columns("file", "label"))}
    assert asked and all(Path(path).is_relative_to(root) for path in asked)
    assert told[outside[0]].split(":")[0] == told[outside[1]].split(":")[0] and told[outside[2]] == told[outside[3]]
    assert sum(reason is None for reason in told.values()) == len(BODY)


def test_a_table_of_too_many_cells(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are all in memory at once: a small archive must not fill it."""
    monkeypatch.setattr(tables, "MOST_CELLS", 9)
    with pytest.raises(DataError) as caught:
        tables.read_table(write(root, "file,label\n" + "images/0.png,cat\n" * 5))
    assert caught.value.code == "bad-table" and "9 cells" in caught.value.message


def test_pictures_beside_a_table_are_told(root: Path, draw) -> None:
    """What lies among its pictures and is not in it is left out with that reason, once; what another source has is not told of."""
    draw(root, "images/late.png", "elsewhere/0.png", "images/.hidden.png", "images/other.png")
    (root / "images" / "notes.txt").write_text("x")
    first = write(root, "file,label\n" + "".join(f"{name},{label}\n" for name, label in BODY))
    second = write(root, "file,label\nimages/4.png,cat\nimages/other.png,dog\n", "more.csv")
    project = Project.for_source(first)
    project.add_source(source_of_table(second))
    assert scan(project).images == 6 and scan(project).read == 0
    left_out = {(sample.source, sample.relative): sample.reason for sample in project.table.left_out()}
    assert left_out == {(0, "images/5.png"): "the table does not name it", (0, "images/late.png"): "the table does not name it"}
    write(root, "file,label\n" + "".join(f"{name},{label}\n" for name, label in [*BODY, ("images/late.png", "cat")]))
    assert scan(project).images == 7 and len(project.table.left_out()) == 1

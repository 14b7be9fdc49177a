"""How a place is understood: what is clear goes on, what is unclear is offered with sentence, counts and examples."""

from __future__ import annotations

import contextlib
import tarfile
import time
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from transfer_core.data import guess as guessing
from transfer_core.data.guess import Guess, counted, guess
from transfer_core.data.layout import walk
from transfer_core.data.reading import Reading, Source
from transfer_core.data.sources import found_in
from transfer_core.errors import DataError


def make(root: Path, *files: str) -> Path:
    for name in files:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return root


def each(*folders: str, count: int = 4) -> list[str]:
    return [f"{folder}/{number}.jpg" for folder in folders for number in range(count)]


NESTED = each("oak/north", "oak/south", "elm/north", "elm/south")


def readings(found: Guess) -> list[Reading]:
    return [offer.reading for offer in found.offers]


@pytest.mark.parametrize(
    "files",
    [
        each("cat", "dog"),
        each("train/cat", "train/dog", "test/cat", "test/dog"),
        each("cat/train", "cat/test", "dog/train", "dog/test"),
        each("cat/images", "dog/images"),
        each("wrap/inner/cat", "wrap/inner/dog"),
        [*each("cat", "dog", count=20), "cat/more/deep/1.jpg"],
        [*each("cat", "dog"), "stray.jpg", "readme.txt"],
    ],
)
def test_a_folder_a_class_is_clear(files: list[str], tmp_path: Path) -> None:
    """The usual layouts, with splits above or inside the classes, wrapped, with a stray file: nobody is asked."""
    found = guess(make(tmp_path, *files))
    assert (found.best, found.unclear) == (Reading(), False)
    assert set(found.offers[0].classes) == {"cat", "dog"}


@pytest.mark.parametrize("wrapped", ["", "data/", "train/"])
def test_folders_in_folders_are_a_choice(wrapped: str, tmp_path: Path) -> None:
    """Species and sites: the first, the innermost, or both; each offer says what it gives."""
    files = [wrapped + name for name in NESTED] + (
        [name.replace("oak", "fir") for name in NESTED if "oak" in name] if not wrapped else []
    )
    files += ["test/" + name for name in NESTED] if wrapped == "train/" else []
    found = guess(make(tmp_path, *files))
    assert found.unclear and [reading.depth for reading in readings(found)] == [1, "innermost", "joined"]
    first, inner, both = found.offers
    assert inner.classes == Counter({"north": len(files) // 2, "south": len(files) // 2})
    assert "elm / north" in both.classes and len(first.examples) >= 2
    for offer in found.offers:
        source = Source(tmp_path, reading=offer.reading)
        assert Counter(one.label for one in found_in(source)) == offer.classes, "what was offered is what comes"


def test_kinds_below_kinds(tmp_path: Path) -> None:
    """Animals and plants: the inner folders make the same parts with or without the outer ones, and are offered once."""
    found = guess(make(tmp_path, *each("animals/cat", "animals/dog", "plants/oak")))
    assert found.unclear and [reading.depth for reading in readings(found)] == [1, "innermost"]


def test_uneven_depths(tmp_path: Path) -> None:
    """Where some pictures lie deeper than others, levels by their number are offered too, if they cover enough."""
    found = guess(make(tmp_path, *each("a/x/1", "a/y/2", "b/x/1", "b/y/2"), *each("a/x", "b/y", count=1)))
    assert 2 in [reading.depth for reading in readings(found)] and found.unclear


def test_names_are_shown_before_they_count(tmp_path: Path) -> None:
    """A flat folder: the pattern is a guess, so somebody is asked."""
    found = guess(make(tmp_path, *(f"{label}_{n}.jpg" for label in ("cat", "dog") for n in range(5))))
    assert found.unclear and found.best == Reading("names", pattern="{class}_{number}")
    assert dict(found.offers[0].examples)["cat_0.jpg"] == "cat"
    assert {one.label for one in found_in(Source(tmp_path, reading=found.best))} == {"cat", "dog"}


def test_nothing_to_go_by(tmp_path: Path) -> None:
    """A camera's names, an empty folder, one class: no offer, and the usual reading, which tells what is missing."""
    for files in ([f"IMG_{n:04}.jpg" for n in range(30)], [], each("cat"), ["notes.txt"]):
        folder = make(tmp_path / str(len(files)), *files)
        folder.mkdir(exist_ok=True)
        assert guess(folder).best == Reading() and not guess(folder).unclear


def table(root: Path, labels: dict[str, str], name: str = "labels.csv") -> Path:
    (root / name).write_text("file,label\n" + "".join(f"{file},{label}\n" for file, label in labels.items()), encoding="utf-8")
    return root / name


def test_a_table_beside_a_heap_of_pictures(tmp_path: Path) -> None:
    """It is found, and clear; opened by itself it gives the same."""
    make(tmp_path, *(f"images/IMG_{n:04}.jpg" for n in range(20)), "other.csv")
    file = table(tmp_path, {f"IMG_{n:04}.jpg": "cat" if n % 3 else "dog" for n in range(20)})
    found = guess(tmp_path)
    assert found.best.kind == "table" and found.best.table == "labels.csv" and not found.unclear
    assert found.offers[0].classes == guess(file).offers[0].classes == Counter(cat=13, dog=7)
    assert {one.label for one in found_in(Source(tmp_path, reading=found.best)) if not one.reason} == {"cat", "dog"}


def test_a_table_that_contradicts_the_folders(tmp_path: Path) -> None:
    """Offered second where it says something else, and not at all where it says the same."""
    files = each("cat", "dog")
    make(tmp_path, *files)
    table(tmp_path, {file: file.split("/")[0] for file in files})
    assert not guess(tmp_path).unclear
    table(tmp_path, {file: "young" if n % 2 else "old" for n, file in enumerate(files)})
    found = guess(tmp_path)
    assert found.unclear and [reading.kind for reading in readings(found)] == ["folders", "table"]


@pytest.mark.parametrize("ending", [".zip", ".tar.gz"])
def test_an_archive_is_understood_packed(ending: str, tmp_path: Path) -> None:
    """The same offers as for the folder that was packed, and nothing is written."""
    for number, files in enumerate(
        (each("cat", "dog"), NESTED, [f"{label}-{n}.jpg" for label in ("cat", "dog") for n in range(5)])
    ):
        folder = make(tmp_path / f"folder{number}", *files)
        if number == 0:
            table(folder, {file: "odd" if n % 2 else "even" for n, file in enumerate(files)})
        packed = tmp_path / f"packed{number}{ending}"
        if ending == ".zip":
            with zipfile.ZipFile(packed, "w") as archive:
                for path in sorted(folder.rglob("*")):
                    archive.write(path, f"top/{path.relative_to(folder)}")
        else:
            with tarfile.open(packed, "w:gz") as archive_tar:
                archive_tar.add(folder, "top")
        before = set(tmp_path.rglob("*"))
        inside, plain = guess(packed), guess(folder)
        assert [offer.classes for offer in inside.offers] == [offer.classes for offer in plain.offers]
        assert inside.unclear == plain.unclear and set(tmp_path.rglob("*")) == before


def test_a_large_folder_is_understood_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many files are looked at, some of each class, and it is said that there are more."""
    make(tmp_path, *each("a", "b", "c", count=1500))
    monkeypatch.setattr(guessing, "LOOKED_AT", 2000)
    began = time.monotonic()
    found = guess(tmp_path)
    assert found.more and set(found.offers[0].classes) == {"a", "b", "c"} and found.offers[0].pictures == 2000
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("name", ["gone", "file.jpg", "broken.zip", "empty.csv"])
def test_what_is_no_door(name: str, tmp_path: Path) -> None:
    """A missing place, a picture, a broken archive and an empty table: each a sentence."""
    make(tmp_path, "file.jpg", "broken.zip", "empty.csv")
    with pytest.raises(DataError) as caught:
        guess(tmp_path / name)
    assert caught.value.fix


def test_odd_folders_stop_nothing(tmp_path: Path) -> None:
    """Links, hidden files and a table that is none lie in the way."""
    make(tmp_path, *each("cat", "dog"), ".hidden/1.jpg", "broken.csv")
    with contextlib.suppress(OSError):
        (tmp_path / "loop").symlink_to(tmp_path)
    assert set(guess(tmp_path).offers[0].classes) == {"cat", "dog"} == {one.label for one in walk(tmp_path) if one.label}


def test_counts_in_a_sentence() -> None:
    """The largest first, and how many more there are."""
    assert counted(Counter(a=1, b=3)) == "b (3), a (1)"
    assert counted(Counter(dict.fromkeys("abcdefg", 1)), 5).endswith(" and 2 more")

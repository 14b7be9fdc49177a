"""The Data page of 100,000 pictures: every view below half a second, once the page server is warm."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from transfer_core.advice.map_file import PictureMap, map_file, write_map
from transfer_core.data.project import Project
from transfer_core.data.samples import SampleTable

MOST = 0.5  # seconds
PICTURES, CLASSES = 100_000, 50

pytestmark = pytest.mark.slow


@pytest.fixture
def large(tmp_path: Path, pictures: Callable[..., Path]) -> Project:
    """A table of that many pictures, written without a scan; its files are made where a page shows them."""
    (tmp_path / "many").mkdir()
    project = Project.create("many", [tmp_path / "many"])
    statement = """
        INSERT INTO samples (source, relative, given_label, content, size, mtime_ns, width, height, format, label, split, state, reason)
        VALUES (0, ?, ?, ?, 50000, 1, 64, 48, 'JPEG', ?, ?, ?, ?)
    """
    with project.table.connect() as connection:
        connection.executemany(statement, rows())
    return project


def rows() -> Iterator[tuple[str | None, ...]]:
    for number in range(PICTURES):
        label = f"class {number % CLASSES:02}"
        state = "in" if number % 97 else "excluded" if number % 2 else "out"
        split = "train" if number % 10 < 7 else "val" if number % 10 < 9 else "test"
        content = hashlib.blake2b(str(number).encode(), digest_size=16).hexdigest()
        yield f"{label}/{number:06}.jpg", label, content, label, split, state, "broken" if state == "out" else None


def make_files(table: SampleTable, folder: Path) -> None:
    """The files of what is shown below, as links to a few real ones."""
    real = sorted(folder.rglob("*.jpg"))
    shown = table.samples(limit=60) + table.samples(offset=900 * 60, limit=60) + table.samples(label="class 31", limit=60)
    shown += [each for few in table.examples([f"class {n:02}" for n in range(10)], 8).values() for each in few]
    for number, sample in enumerate(shown):
        sample.path.parent.mkdir(exist_ok=True)
        if not sample.path.exists():
            os.link(real[number % len(real)], sample.path)


def drawing(page: AppTest) -> float:
    """Seconds that the page takes to be drawn again."""
    began = time.perf_counter()
    page.run()
    return time.perf_counter() - began


def test_views_of_a_hundred_thousand(large: Project, pictures: Callable[..., Path], open_page: Callable[..., AppTest]) -> None:
    table = large.table
    make_files(table, pictures())
    contents = [content for _id, content, _label in table.usable()]
    map_file(large).parent.mkdir(parents=True)
    places = np.random.default_rng(0).standard_normal((len(contents), 2)).astype(np.float32)
    write_map(large, PictureMap(contents, places, "starter", 0.3, 5000))
    page = open_page("Data", project=large.folder.name)
    seconds = {}
    changes: list[tuple[str, dict[str, object]]] = [
        ("classes", {"view": "classes"}),
        ("pictures", {"view": "pictures"}),
        ("a late page", {"browse-page": 901}),
        ("a class", {"browse-page": 1, "browse-label": "class 31"}),
        ("a name", {"browse-label": None, "browse-search": "0999"}),
        ("the map", {"view": "map"}),
        ("a copy", {"view": "export"}),
    ]
    for name, state in changes:
        for key, value in state.items():
            page.session_state[key] = value
        page.run()  # thumbnails and libraries
        seconds[name] = min(drawing(page) for _attempt in range(3))
        assert not page.exception and not page.error
    print(", ".join(f"{name} {1000 * value:.0f} ms" for name, value in seconds.items()))
    assert max(seconds.values()) < MOST, seconds

"""Opening what is unclear asks first, on the home page; adding shows on the Data page what would come."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from transfer_core.data.project import Project, list_projects
from transfer_core.data.reading import Reading

Open = Callable[..., AppTest]


@pytest.fixture
def nested(pictures: Callable[..., Path], tmp_path: Path) -> Path:
    for kind in ("oak", "elm <b>"):
        pictures(["north", "south"], count=3, under=tmp_path / "trees" / kind, seed=len(kind))
    return tmp_path / "trees"


@pytest.fixture
def flat(pictures: Callable[..., Path], tmp_path: Path) -> Path:
    folder = tmp_path / "flat"
    folder.mkdir()
    for path in pictures(["hen", "owl"], count=4, under=tmp_path / "birds", seed=5).rglob("*.jpg"):
        shutil.move(path, folder / f"{path.parent.name}_{path.name}")
    return folder


def type_and_open(page: AppTest, place: Path | str) -> AppTest:
    page.text_input(key="folder-typed").set_value(str(place))
    return next(button for button in page.button if button.label == "Open").click().run()


def texts(page: AppTest) -> str:
    """What a page says, without the escapes that keep names from being markup."""
    kinds = ("markdown", "text", "caption", "code", "error")
    return "\n".join(str(element.value) for kind in kinds for element in page.get(kind)).replace("\\", "")


def test_what_is_clear_goes_straight_on(pictures: Callable[..., Path], open_page: Open) -> None:
    page = type_and_open(open_page(""), pictures())
    assert not page.exception and page.title[0].value == "Your pictures"
    assert len(list_projects()) == 1


def test_what_is_unclear_is_asked_before_a_project_is_made(nested: Path, open_page: Open) -> None:
    """Each way with its classes; the one chosen becomes the project's reading, and the same folder is not asked about again."""
    page = type_and_open(open_page(""), nested)
    assert not page.exception and not list_projects()
    way = page.radio[0]
    assert len(way.options) == 4 and "first folder" in way.options[0]
    assert "**2 classes**" in texts(page) and "elm <b> (6)" in texts(page)
    way.set_value(1).run()
    assert "north" in texts(page)
    page.button(key="open-so").click().run()
    assert page.title[0].value == "Your pictures" and not page.exception
    assert Project.for_source(nested).sources[0].reading == Reading(depth="innermost")
    page = type_and_open(open_page(""), nested)
    assert page.title[0].value == "Your pictures" and len(list_projects()) == 1


def test_not_these_after_all(nested: Path, open_page: Open) -> None:
    page = type_and_open(open_page(""), nested)
    page.button(key="open-not").click().run()
    assert not page.radio and not list_projects()


def test_a_pattern_is_shown_and_can_be_changed(flat: Path, open_page: Open) -> None:
    """What is wrong with it is said, and nothing can be opened with it."""
    page = type_and_open(open_page(""), flat)
    field = next(field for field in page.text_input if field.label == "Pattern of the file names")
    assert field.value == "{class}_{number}" and not page.button(key="open-so").disabled
    field.set_value("{klass}").run()
    assert "klass" in page.error[0].value and page.button(key="open-so").disabled
    field = next(field for field in page.text_input if field.label == "Pattern of the file names")
    field.set_value("{class}_{any}").run()
    page.button(key="open-so").click().run()
    assert Project.for_source(flat).sources[0].reading == Reading("names", pattern="{class}_{any}")


def test_the_columns_of_a_table(flat: Path, open_page: Open) -> None:
    """Titles that say nothing are shown with the guess, to be changed."""
    lines = [f"{path.name},{number % 2},{path.name[:3]}" for number, path in enumerate(sorted(flat.iterdir()))]
    (flat / "list.csv").write_text("what,odd,bird\n" + "\n".join(lines))
    page = type_and_open(open_page(""), flat / "list.csv")
    assert [box.value for box in page.selectbox] == ["what", "bird", "(none)", "(none)"]
    page.selectbox[1].set_value("odd").run()
    assert "0 (4), 1 (4)" in texts(page)
    page.button(key="open-so").click().run()
    columns = Project.for_source(flat / "list.csv").sources[0].reading.columns
    assert columns is not None and (columns.file, columns.label) == ("what", "odd")


def test_a_zip_of_what_is_unclear(nested: Path, tmp_path: Path, open_page: Open) -> None:
    """It is understood without being unpacked."""
    with zipfile.ZipFile(tmp_path / "trees.zip", "w") as archive:
        for path in sorted(nested.rglob("*.jpg")):
            archive.write(path, path.relative_to(nested))
    page = type_and_open(open_page(""), tmp_path / "trees.zip")
    assert len(page.radio[0].options) == 4 and "oak/north/000.jpg  →  oak" in texts(page)
    page.button(key="open-so").click().run()
    assert page.title[0].value == "Your pictures" and not page.exception


@pytest.mark.parametrize("name", ["gone.zip", "bad.zip", "picture.jpg", "words.csv"])
def test_what_can_not_be_opened_is_said(name: str, tmp_path: Path, open_page: Open) -> None:
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr("../x.jpg", b"x")
    (tmp_path / "picture.jpg").write_bytes(b"x")
    (tmp_path / "words.csv").write_text("a,b\n1,2\n")
    page = type_and_open(open_page(""), tmp_path / name)
    assert len(page.error) == 1 and not page.exception and not list_projects()


def test_adding_shows_what_would_come(project: Project, flat: Path, open_page: Open) -> None:
    """Typed on the Data page: its classes, or all of one; then it is a source more."""
    page = open_page("Data", project=project.folder.name)
    page.session_state["adding"] = True
    page.run()
    page.text_input(key="add-typed").set_value(str(flat))
    next(button for button in page.button if button.label == "Look at it").click().run()
    assert not page.exception and "hen (4), owl (4)" in texts(page)
    page.button(key="add-them").click().run()
    assert not page.exception
    assert Project.open(project.folder).sources[1].reading == Reading("names", pattern="{class}_{number}")


def test_a_heap_of_one_class_is_added(project: Project, pictures: Callable[..., Path], tmp_path: Path, open_page: Open) -> None:
    heap = pictures(["heap"], count=3, under=tmp_path / "more", seed=9) / "heap"
    page = open_page("Data", project=project.folder.name)
    page.session_state["adding"] = True
    page.run()
    page.text_input(key="add-typed").set_value(str(heap))
    next(button for button in page.button if button.label == "Look at it").click().run()
    assert page.button(key="add-them").disabled, "its class is not said yet"
    next(box for box in page.selectbox if box.label == "Their class").set_value("circle").run()
    page.button(key="add-them").click().run()
    assert not page.exception
    assert Project.open(project.folder).sources[1].reading == Reading("class", label="circle")

"""Other doors than a folder a class, in a real browser: the choice that is shown, a zip that is unpacked, and pictures added later."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from transfer_core.data.project import Project

if TYPE_CHECKING:
    from tests.e2e.conftest import App, Visitor

pytestmark = pytest.mark.browser


@pytest.fixture
def trees(pictures: Callable[..., Path], app: App) -> Path:
    folder = app.home.parent / "trees"
    for number, kind in enumerate(("oak", "elm")):
        pictures(["north", "south"], count=4, under=folder / kind, seed=number)
    return folder


def open_by_path(visitor: Visitor, place: Path) -> None:
    visitor.open()
    visitor.page.get_by_label("Folder, zip or CSV on this computer").fill(str(place))
    visitor.page.keyboard.press("Enter")


def test_the_choice_of_an_unclear_folder(visit: Callable[..., Visitor], trees: Path) -> None:
    """On a phone's width, too: each way, the pictures it gives, and the one chosen becomes the project's."""
    for width in (1280, 390):
        visitor = visit(width=width)
        open_by_path(visitor, trees)
        visitor.page.get_by_text("How are these pictures sorted?").wait_for()
        shown = visitor.page.get_by_role("list", name="Pictures and the class that each would have").get_by_role("listitem")
        shown.first.wait_for()
        assert shown.count() == 4 and not visitor.has_horizontal_scrolling()
        visitor.button("Not these").click()
        visitor.page.get_by_text("How are these pictures sorted?").wait_for(state="hidden")
    open_by_path(visitor, trees)
    visitor.page.get_by_text("The innermost folder").click()
    visitor.page.get_by_text("north (8), south (8)").last.wait_for()
    visitor.button("Open them so").click()
    visitor.heading("Your pictures")
    visitor.page.get_by_text("16", exact=True).first.wait_for()
    project = Project.for_source(trees)
    assert {count.label: count.total for count in project.table.classes()} == {"north": 8, "south": 8}


def test_a_zip_and_then_more(
    visitor: Visitor, pictures: Callable[..., Path], app: App, eventually: Callable[..., Any], tmp_path: Path
) -> None:
    """A zip is opened like a folder; a folder whose names say the class is added to it, and counted beside."""
    folder = pictures(["circle", "square"], count=5, under=tmp_path / "raw")
    with zipfile.ZipFile(tmp_path / "packed shapes.zip", "w") as archive:
        for path in folder.rglob("*.jpg"):
            archive.write(path, path.relative_to(folder))
    open_by_path(visitor, tmp_path / "packed shapes.zip")
    visitor.heading("Your pictures")
    visitor.page.get_by_text("10", exact=True).first.wait_for()
    flat = tmp_path / "flat"
    flat.mkdir()
    for path in pictures(["circle", "triangle"], count=3, under=tmp_path / "more", seed=7).rglob("*.jpg"):
        path.rename(flat / f"{path.parent.name}-{path.name}")
    visitor.page.get_by_text("Add pictures from this computer").click()
    visitor.settle()
    visitor.page.get_by_label("Folder, zip or CSV to add").fill(str(flat))
    visitor.page.keyboard.press("Enter")
    visitor.page.get_by_text("circle (3), triangle (3)").last.wait_for()
    visitor.settle()
    visitor.button("Add these pictures").click()
    visitor.page.get_by_text("16", exact=True).first.wait_for()
    project = Project.open(app.home / "packed shapes")
    assert {count.label: count.total for count in project.table.classes()} == {"circle": 8, "square": 5, "triangle": 3}


def test_a_hostile_zip_is_answered(visitor: Visitor, tmp_path: Path, app: App) -> None:
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr("../<b>x</b>.png", b"x")
    open_by_path(visitor, tmp_path / "bad.zip")
    visitor.page.get_by_text("../<b>x</b>.png climbs out of it").wait_for()
    assert not (app.home / "bad").exists()

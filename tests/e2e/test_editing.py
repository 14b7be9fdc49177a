"""Looking and changing in a real browser: by keyboard alone, seen in a second tab, taken back there; the map; copies in a folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from transfer_core.data.project import Project
from transfer_core.data.scan import scan

if TYPE_CHECKING:
    from playwright.sync_api import Locator

    from tests.e2e.conftest import App, Visitor

pytestmark = pytest.mark.browser

WORK = 90_000  # milliseconds that a job may take on a busy computer


@pytest.fixture
def plain(same_home: None, app: App, pictures: Callable[..., Path], tmp_path: Path) -> Project:
    """A project of its own, which a test may change as it likes: three classes of eight pictures."""
    folder = pictures(count=8, under=app.home.parent / f"edited-{tmp_path.name}")
    made = Project.for_source(folder)
    scan(made)
    return made


def tiles(visitor: Visitor) -> Locator:
    return visitor.page.locator("li[role=option]")


def look_at_pictures(visitor: Visitor, project: Project) -> None:
    visitor.open("Data", project=project.folder.name)
    visitor.page.get_by_role("radio", name="Pictures").click()
    tiles(visitor).first.wait_for()
    visitor.settle()


def chosen(visitor: Visitor) -> int:
    return visitor.page.locator("li[role=option][aria-selected=true]").count()


def test_by_keyboard_alone_and_taken_back_in_another_tab(
    visit: Callable[..., Visitor], plain: Project, eventually: Callable[..., Any]
) -> None:
    """Select, relabel, exclude; a second tab sees it and takes it back; the first, reloaded, shows that."""
    visitor, table = visit(), plain.table
    look_at_pictures(visitor, plain)
    page, keys = visitor.page, visitor.page.keyboard
    page.get_by_role("button", name="Select this page").focus()
    for _press in range(20):  # the one tab stop of all pictures is not far
        keys.press("Tab")
        if page.evaluate("document.activeElement.shadowRoot?.activeElement?.getAttribute('role')") == "option":
            break
    keys.press("Space")
    keys.press("Shift+ArrowRight")
    keys.press("Shift+ArrowRight")
    assert chosen(visitor) == 3
    keys.press("2")
    eventually(lambda: table.count(label="square") == 11)
    visitor.button("Undo: 3 pictures to square").wait_for()
    keys.press("x")  # the picture after them has the keyboard now
    keys.press("x")
    eventually(lambda: table.count(state="excluded") == 2)
    assert table.count(label="circle") == 3
    files = sorted(path for path in plain.sources[0].folder.rglob("*") if path.is_file())
    assert len(files) == 24

    other = visit()
    other.open("Data", project=plain.folder.name)
    other.button("Undo: 1 picture excluded").click()
    eventually(lambda: table.count(state="excluded") == 1)
    page.reload()
    visitor.settle()
    tiles(visitor).first.wait_for()  # the same view as before
    visitor.button("Redo: 1 picture excluded").wait_for()
    tiles(visitor).first.focus()
    for _step in range(2):
        keys.press("Control+z")
    eventually(lambda: (table.count(state="excluded"), table.count(label="square")) == (0, 8))
    keys.press("Control+Shift+z")
    eventually(lambda: table.count(label="square") == 11)


def test_all_that_match_become_a_new_class(visitor: Visitor, plain: Project, eventually: Callable[..., Any]) -> None:
    """A class is split off by its name typed; a word of what the page keeps for itself, such as r or c, does nothing else."""
    look_at_pictures(visitor, plain)
    tiles(visitor).nth(2).click()
    tiles(visitor).nth(4).click(modifiers=["Shift"])
    assert chosen(visitor) == 3
    field = visitor.page.get_by_placeholder("another or new class")
    field.press_sequentially("rare circles")
    field.press("Enter")
    eventually(lambda: plain.table.count(label="rare circles") == 3)
    visitor.page.locator(".chip", has_text="rare circles").wait_for()
    visitor.settle()  # what was above the grid before goes only now, and the grid moves
    visitor.page.get_by_role("button", name="Select this page").click()
    # A finding may have a button of that name too.
    visitor.page.locator(".pg").get_by_role("button", name="Exclude", exact=True).click()
    eventually(lambda: plain.table.count(state="excluded") == 24)


def test_a_close_look_and_the_keys(visitor: Visitor, plain: Project, eventually: Callable[..., Any]) -> None:
    look_at_pictures(visitor, plain)
    tiles(visitor).first.focus()
    keys = visitor.page.keyboard
    keys.press("?")
    visitor.page.get_by_text("relabel to the class with this number").wait_for()
    keys.press("Escape")
    keys.press("ArrowRight")
    keys.press("Enter")
    dialog = visitor.page.get_by_role("dialog").filter(has_text="A close look")
    dialog.get_by_role("img").first.wait_for()
    dialog.get_by_role("button", name="Exclude").click()
    eventually(lambda: plain.table.count(state="excluded") == 1)
    dialog.wait_for(state="hidden")
    visitor.settle()
    # The keyboard is back on the pictures, whatever else was drawn anew meanwhile.
    visitor.page.locator("li[role=option]:focus").wait_for()
    keys.press("x")
    eventually(lambda: plain.table.count(state="excluded") == 2)


def test_the_keyboard_stays_with_the_pictures_until_somebody_goes_elsewhere(
    visitor: Visitor, plain: Project, eventually: Callable[..., Any]
) -> None:
    """Streamlit moves what is below a new part of a page, and what is moved loses the keyboard: the next key would be lost."""
    look_at_pictures(visitor, plain)
    page, keys = visitor.page, visitor.page.keyboard
    tiles(visitor).nth(1).focus()
    page.evaluate("() => { const grid = document.activeElement; grid.parentElement.append(grid) }")
    keys.press("x")
    eventually(lambda: plain.table.count(state="excluded") == 1)
    visitor.button("Undo: 1 picture excluded").wait_for()
    visitor.settle()
    page.get_by_role("heading", name="Look and repair").click()
    assert not page.locator("li[role=option]:focus").count()
    keys.press("x")
    tiles(visitor).first.focus()
    keys.press("x")
    eventually(lambda: plain.table.count(state="excluded") == 2)


def test_a_close_look_stays_open_while_the_page_is_drawn_again(visitor: Visitor, plain: Project) -> None:
    """A job that ends has the page drawn again; only who looks closes the look, and then it stays closed."""
    look_at_pictures(visitor, plain)
    page = visitor.page
    tiles(visitor).first.dblclick()
    dialog = page.get_by_role("dialog").filter(has_text="A close look")
    dialog.get_by_role("button", name="Exclude").wait_for()
    again = page.get_by_test_id("stBaseButton-secondary").filter(has_text="Check again")
    again.evaluate("button => { button.click() }")  # by the pointer it can't be reached now
    again.wait_for(state="hidden")
    again.wait_for(timeout=WORK)  # the job has ended
    visitor.settle()
    dialog.get_by_role("button", name="Exclude").wait_for()
    dialog.get_by_role("button", name="Close").click()
    dialog.wait_for(state="detached")
    visitor.settle()
    again.click()  # which nobody can while the look is open
    again.wait_for(state="hidden")
    again.wait_for(timeout=WORK)
    visitor.settle()
    assert not dialog.count()


def test_the_map_draws_itself_and_gives_pictures_to_change(
    visitor: Visitor, plain: Project, eventually: Callable[..., Any]
) -> None:
    visitor.open("Data", project=plain.folder.name, view="map")
    area = visitor.page.locator(".js-plotly-plot .nsewdrag").first
    area.wait_for(timeout=WORK)
    # What is found moves the map down the page when it comes.
    visitor.page.get_by_text("Checked:").wait_for(timeout=WORK)
    visitor.settle()
    area.scroll_into_view_if_needed()
    visitor.page.wait_for_timeout(1000)
    box = area.bounding_box()
    assert box
    corners = [(0.02, 0.02), (0.98, 0.02), (0.98, 0.98), (0.02, 0.98), (0.02, 0.05)]
    mouse = visitor.page.mouse
    for number, (x, y) in enumerate(corners):
        mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=8)
        if not number:
            mouse.down()
    mouse.up()
    eventually(lambda: tiles(visitor).count() == 24)
    tiles(visitor).first.click()
    visitor.page.keyboard.press("3")
    eventually(lambda: plain.table.count(label="triangle") == 9)
    visitor.settle()
    visitor.page.wait_for_timeout(2000)
    assert tiles(visitor).count() == 24, "what was selected stays beside the map"


def test_copies_in_a_new_folder(visitor: Visitor, plain: Project, tmp_path: Path, eventually: Callable[..., Any]) -> None:
    visitor.open("Data", project=plain.folder.name, view="export")
    with visitor.page.expect_download() as download:
        visitor.page.get_by_role("button", name="Download the table").click()
    assert len(download.value.path().read_text(encoding="utf-8").splitlines()) == 25
    visitor.page.get_by_label("New folder").fill(str(tmp_path / "copy"))
    visitor.page.get_by_label("New folder").press("Enter")
    visitor.page.get_by_role("button", name="Copy the pictures").click()
    visitor.page.get_by_text("24 pictures were copied").wait_for(timeout=WORK)
    assert len(list((tmp_path / "copy").rglob("*.jpg"))) == 24


@pytest.mark.parametrize("view", ["classes", "pictures", "map", "export"])
def test_no_view_scrolls_sideways_on_a_phone(visit: Callable[..., Visitor], shapes: Project, view: str) -> None:
    phone = visit(390, 844, color_scheme="dark")
    phone.open("Data", project=shapes.folder.name, view=view)
    assert not phone.has_horizontal_scrolling()

"""Pictures sent through the browser: none lost, none twice, and never in the server's memory."""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from transfer_core.data.project import Project
from transfer_core.data.scan import scan

if TYPE_CHECKING:
    from tests.e2e.conftest import App, Visitor

pytestmark = pytest.mark.browser

SIZE = 100_000  # bytes of a file
MEMORY = 100 * 2**20  # by which the page server may grow
SENDING = 240_000  # milliseconds
DOOR = "Send pictures through the browser"


@pytest.fixture
def many(tmp_path: Path, pictures: Callable[..., Path]) -> Callable[[int, str], Path]:
    """`many(count, name)`: a folder of so many pictures of 100,000 bytes in five classes; what follows a JPEG's end is no picture."""

    def make(count: int, name: str) -> Path:
        folder = pictures(["ash", "beech", "elm", "fir", "oak"], count=-(-count // 5), under=tmp_path / name)
        for number, path in enumerate(sorted(folder.rglob("*.jpg"))):
            path.write_bytes(path.read_bytes().ljust(SIZE - 8, b"\0") + number.to_bytes(8, "big"))
        return folder

    return make


class Growth:
    """How much the page server grew at most meanwhile, looked at often."""

    def __init__(self, app: App):
        self.process = app.server
        self.before = self.process.memory_info().rss
        self.most = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Growth:
        self._thread.start()
        return self

    def __exit__(self, *arguments: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(0.05):
            self.most = max(self.most, self.process.memory_info().rss - self.before)


def contents(folder: Path) -> list[str]:
    return sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*.jpg"))


def classes_of(project: Project) -> dict[str, int]:
    return {count.label: count.total for count in project.table.classes()}


def choose(visitor: Visitor, folder: Path) -> None:
    visitor.page.get_by_text(DOOR).click()
    visitor.page.get_by_text("Drop a folder or pictures here").wait_for()
    visitor.settle()
    visitor.page.locator(".in-folder").set_input_files(folder)


def sent(visitor: Visitor) -> list[str]:
    """The names of the files that a page sends from now on."""
    names: list[str] = []
    visitor.page.on("request", lambda request: names.append(request.url) if request.method == "PUT" else None)
    return names


@pytest.mark.parametrize("count", [300, pytest.param(3000, marks=pytest.mark.slow)])
def test_a_folder_of_many_pictures_with_a_reload_midway(
    visitor: Visitor, app: App, many: Callable[[int, str], Path], count: int, eventually: Callable[..., Any]
) -> None:
    folder = many(count, f"trees{count}")
    visitor.page.on("dialog", lambda dialog: dialog.accept())
    visitor.open()
    visitor.page.get_by_text(DOOR).click()
    visitor.page.get_by_text("Drop a folder or pictures here").wait_for()
    arrived = app.home / folder.name / "uploads" / folder.name
    began = time.monotonic()
    with Growth(app) as growth:
        visitor.page.locator(".in-folder").set_input_files(folder, timeout=SENDING)
        eventually(lambda: len(list(arrived.rglob("*.jpg"))) >= count // 5, patience=120, poll=0.005)
        visitor.page.reload()
        visitor.settle()
        before = len(list(arrived.rglob("*.jpg")))
        assert before < count, "the reload came too late to interrupt anything"
        names = sent(visitor)
        choose(visitor, folder)
        visitor.heading("Your pictures", SENDING)
    seconds = time.monotonic() - began
    print(f"{count} pictures of 100 KB: {seconds:.1f} s with a reload after {before}, server {growth.most / 2**20:.0f} MB larger")
    assert contents(arrived) == contents(folder), "all are there, each once"
    assert len(names) == count - before, "only what was missing is sent again"
    assert growth.most < MEMORY
    visitor.page.get_by_text(f"{count:,}", exact=True).first.wait_for(timeout=SENDING)
    assert not visitor.foreign


def test_a_folder_once_more_sends_nothing_and_another_adds_classes(
    visitor: Visitor, shapes: Project, pictures: Callable[..., Path], tmp_path: Path, eventually: Callable[..., Any]
) -> None:
    """Into a project that is open: its own pictures stay, what is new is added."""
    folder = pictures(["hexagon", "circle"], count=4, under=tmp_path / "more shapes", seed=5)
    before = shapes.table.count()
    visitor.open("Data", project=shapes.folder.name)
    choose(visitor, folder)
    eventually(lambda: shapes.table.count() == before + 8)
    visitor.page.get_by_text(str(before + 8), exact=True).first.wait_for()
    assert classes_of(shapes)["hexagon"] == 4
    visitor.settle()
    names = sent(visitor)
    visitor.page.locator(".in-folder").set_input_files(folder)
    visitor.settle()
    time.sleep(1)
    assert names == [] and len(list(shapes.folder.glob("uploads/**/*.jpg"))) == 8


def test_loose_pictures_are_asked_for_their_class(
    visitor: Visitor, app: App, pictures: Callable[..., Path], tmp_path: Path, eventually: Callable[..., Any]
) -> None:
    """By keyboard alone; what is no picture stays where it is, and is told."""
    folder = pictures(["only"], count=3, under=tmp_path / "loose")
    (folder / "only" / "notes.txt").write_text("notes")
    (folder / "only" / "phone.heic").write_bytes(b"x")
    project = Project.create("loose pictures", [])
    visitor.open("Data", project=project.folder.name)
    visitor.page.locator(".in-files").set_input_files(sorted((folder / "only").iterdir()))
    visitor.page.get_by_text("Pictures to send: 3. Which class do they show?").wait_for()
    visitor.page.get_by_text("no pictures and were left where they are: 1").wait_for()
    visitor.page.get_by_text("HEIC pictures can't be read: 1").wait_for()
    visitor.page.keyboard.type("wild ones/*")
    visitor.page.keyboard.press("Enter")
    eventually(lambda: len(list(project.folder.glob("added/wild ones__*/*.jpg"))) == 3)
    eventually(lambda: classes_of(project) == {"wild ones_*": 3})


def test_a_lone_folder_is_asked_for_its_class(visitor: Visitor, pictures: Callable[..., Path], tmp_path: Path) -> None:
    """Its name is proposed."""
    project = Project.create("lone folder", [])
    folder = pictures(["robins"], count=2, under=tmp_path / "lone") / "robins"
    visitor.open("Data", project=project.folder.name)
    visitor.page.locator(".in-folder").set_input_files(folder)
    visitor.page.get_by_text("Pictures to send: 2.").wait_for()
    assert visitor.page.get_by_label("Class", exact=True).first.input_value() == "robins"
    visitor.button("Cancel").click()
    visitor.page.get_by_text("Drop a folder or pictures here").wait_for()


def test_stop_keeps_what_came_and_the_same_choice_goes_on(
    visitor: Visitor, app: App, many: Callable[[int, str], Path], eventually: Callable[..., Any]
) -> None:
    folder = many(300, "stopped trees")
    visitor.open()
    visitor.page.route("**/studio/uploads/file*", lambda route: (time.sleep(0.02), route.continue_())[1])
    choose(visitor, folder)
    visitor.button("Stop").click()
    visitor.page.get_by_text("Choose the same again to send the others.").wait_for()
    visitor.page.unroute("**/studio/uploads/file*")
    visitor.button("Choose again").click()
    visitor.page.locator(".in-folder").set_input_files(folder)
    visitor.heading("Your pictures", SENDING)
    assert contents(app.home / folder.name / "uploads" / folder.name) == contents(folder)


def test_what_the_server_refuses_is_told_by_file(
    visitor: Visitor, app: App, pictures: Callable[..., Path], tmp_path: Path
) -> None:
    """And the others come."""
    folder = pictures(["ash", "elm"], count=3, under=tmp_path / "refused <b>trees")
    huge = folder / "ash" / "huge <i>.jpg"
    with huge.open("wb") as file:
        os.truncate(file.fileno(), 300 * 2**20)
    visitor.open()
    choose(visitor, folder)
    visitor.page.get_by_text("Not taken: 1").wait_for(timeout=SENDING)
    visitor.page.get_by_text("huge <i>.jpg is larger than 256 MB.").wait_for()
    visitor.button("Go on to the pictures").click()
    visitor.heading("Your pictures")
    visitor.page.get_by_text("6", exact=True).first.wait_for()


def test_a_server_that_was_restarted_says_to_reload(
    visitor: Visitor, app: App, pictures: Callable[..., Path], tmp_path: Path
) -> None:
    """Its pages have another token now: the upload is refused with a way out, and goes on after it."""
    folder = pictures(["ash", "elm"], count=3, under=tmp_path / "trees of yesterday")
    project = Project.create("trees of yesterday", [])
    visitor.open("Data", project=project.folder.name)
    visitor.page.get_by_text("Drop a folder or pictures here").wait_for()
    visitor.page.route("**/_stcore/stream", lambda route: route.abort())  # the page does not notice
    app.stop()
    app.start()
    visitor.page.locator(".in-folder").set_input_files(folder)
    visitor.page.get_by_text("older than the server behind it").wait_for()


def test_a_large_picture_comes_in_pieces(visitor: Visitor, app: App, tmp_path: Path, eventually: Callable[..., Any]) -> None:
    """So that a broken connection costs a piece and not all of it."""
    folder = tmp_path / "large"
    (folder / "a").mkdir(parents=True)
    (folder / "b").mkdir()
    data = os.urandom(20 * 2**20)
    (folder / "a" / "big.bmp").write_bytes(data)
    (folder / "b" / "small.bmp").write_bytes(b"x")
    visitor.open()
    names = sent(visitor)
    choose(visitor, folder)
    visitor.heading("Your pictures", SENDING)
    assert (app.home / "large" / "uploads" / "large" / "a" / "big.bmp").read_bytes() == data
    assert len([name for name in names if "big.bmp" in name]) == 3


def test_the_field_on_a_telephone(visit: Callable[..., Visitor]) -> None:
    """Which can't choose folders, and where nothing may stand out to the side."""
    phone = visit(390, 844, has_touch=True, is_mobile=True, color_scheme="dark")
    phone.open()
    phone.page.get_by_text(DOOR).click()
    phone.page.get_by_role("button", name="Choose pictures or a zip…").wait_for()
    assert not phone.page.get_by_role("button", name="Choose a folder…").is_visible()
    assert not phone.has_horizontal_scrolling()


def test_a_zip(visitor: Visitor, app: App, pictures: Callable[..., Path], tmp_path: Path) -> None:
    """It makes a project of its name; one that climbs out is refused with a sentence."""
    folder = pictures(["ash", "elm"], count=4, under=tmp_path / "packed trees")
    archive = Path(shutil.make_archive(str(folder), "zip", tmp_path, folder.name))
    hostile = tmp_path / "hostile.zip"
    with zipfile.ZipFile(hostile, "w") as file:
        file.writestr("../../out.jpg", "x")
    visitor.open()
    visitor.page.get_by_text(DOOR).click()
    visitor.page.locator(".in-files").set_input_files(hostile)
    visitor.page.get_by_text("nothing of it was unpacked").wait_for()
    visitor.button("Choose again").click()
    visitor.page.locator(".in-files").set_input_files(archive)
    visitor.heading("Your pictures", SENDING)
    visitor.page.get_by_text("8", exact=True).first.wait_for()
    assert "project=packed" in visitor.page.url and classes_of(Project.open(app.home / "packed trees")) == {"ash": 4, "elm": 4}


def test_folders_in_folders_are_asked_about(visitor: Visitor, app: App, pictures: Callable[..., Path], tmp_path: Path) -> None:
    """Before they are looked through."""
    for place in ("north", "south"):
        pictures(["owl", "tit"], count=3, under=tmp_path / "nested birds" / place, seed=len(place))
    visitor.open()
    choose(visitor, tmp_path / "nested birds")
    visitor.page.get_by_text("How are these pictures sorted?").wait_for(timeout=SENDING)
    visitor.page.get_by_text("The innermost folder").click()
    visitor.page.get_by_text("12 pictures: owl (6), tit (6)").wait_for()
    visitor.settle()
    visitor.button("Read them so").click()
    visitor.heading("Your pictures", SENDING)
    visitor.page.get_by_text("12", exact=True).first.wait_for()
    assert classes_of(Project.open(app.home / "nested birds")) == {"owl": 6, "tit": 6}


def test_what_the_scan_counts_is_what_came(app: App, many: Callable[[int, str], Path]) -> None:
    """The pictures that these tests send can be read, or the counts above would count nothing."""
    project = Project.for_source(many(10, "checked trees"))
    assert scan(project).images == 10

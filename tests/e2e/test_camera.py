"""The camera: while a button is held pictures come into the class, and where there is no live camera there is another way."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from transfer_core.data.project import Project

if TYPE_CHECKING:
    from tests.e2e.conftest import Visitor

pytestmark = pytest.mark.browser

WANTED = 20  # pictures by one hold
CLASS = "Class that the pictures show"


def taken(project: Project, label: str) -> list[Path]:
    return sorted((project.folder / "camera" / label).glob("*.jpg"))


def camera_on(visitor: Visitor, project: Project) -> None:
    visitor.open("Data", project=project.folder.name)
    visitor.button("Turn the camera on").click()
    visitor.button("Hold to take pictures").wait_for()
    shown = visitor.page.locator("video")
    shown.wait_for()
    visitor.page.wait_for_timeout(500)
    assert shown.evaluate("video => video.videoWidth") > 0


def test_twenty_pictures_by_holding_the_button(visitor: Visitor, eventually: Callable[..., Any]) -> None:
    visitor.open()
    visitor.page.get_by_text("Take pictures with the camera").click()
    visitor.page.get_by_label("Name of the project").fill("cups <b>")
    visitor.button("Use the camera").click()
    visitor.heading("Your pictures")
    visitor.settle()
    project = Project.open(next(folder for folder in Path(visitor.app.home).glob("cups*")))
    visitor.button("Turn the camera on").click()
    hold = visitor.button("Hold to take pictures")
    hold.wait_for()
    visitor.page.wait_for_timeout(500)
    for label, press, release in (
        ("cup", visitor.page.mouse.down, visitor.page.mouse.up),
        ("glass", lambda: visitor.page.keyboard.down("Space"), lambda: visitor.page.keyboard.up("Space")),
    ):
        visitor.page.get_by_label(CLASS).fill(label)
        hold.hover()
        hold.focus()
        press()
        began = time.monotonic()
        eventually(lambda label=label: len(taken(project, label)) >= WANTED)
        held = time.monotonic() - began
        release()
        visitor.page.get_by_text(f"{label}: ", exact=False).first.wait_for()
        time.sleep(1)  # those that are on their way
        eventually(lambda label=label: any(c.label == label and c.total >= WANTED for c in project.table.classes()))
        count = len(taken(project, label))
        print(f"{label}: {WANTED} pictures after {held:.1f} s")
        time.sleep(1)
        assert len(taken(project, label)) == count, "it goes on after the button was let go"
    image = Image.open(taken(project, "cup")[0])
    assert image.format == "JPEG" and max(image.size) <= 1024
    assert len({path.read_bytes() for path in taken(project, "cup")}) > WANTED // 2, "it takes the same picture again and again"
    visitor.page.get_by_text("Fewer than 10 pictures").wait_for(state="detached")
    assert visitor.page.get_by_role("list", name="The last pictures").get_by_role("listitem").count() == 6
    assert hold.is_visible(), "the page counts the pictures without turning the camera off"
    assert not visitor.foreign


def test_without_a_class_nothing_is_taken(visitor: Visitor) -> None:
    project = Project.create("nameless", [])
    camera_on(visitor, project)
    visitor.button("Hold to take pictures").hover()
    visitor.page.mouse.down()
    time.sleep(0.5)
    visitor.page.mouse.up()
    visitor.page.get_by_text("First say which class the pictures show.").wait_for()
    assert not (project.folder / "camera").exists()


def test_another_page_turns_the_camera_off(visitor: Visitor, eventually: Callable[..., Any]) -> None:
    """Nobody is filmed without seeing it."""
    project = Project.create("left alone", [])
    camera_on(visitor, project)
    at_work = "[...window.transferStudioCameras.values()].some(camera => camera.stream)"
    assert visitor.page.evaluate(at_work)
    visitor.settle()  # a link that is pressed while the page is being drawn may not be heard
    visitor.page.get_by_test_id("stSidebar").get_by_role("link", name="Settings").click()
    visitor.heading("Settings")
    eventually(lambda: not visitor.page.evaluate(at_work))


INSTEAD = {
    "refused": "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError'))",
    "missing": "Object.defineProperty(navigator, 'mediaDevices', { value: undefined })",
}


@pytest.mark.parametrize("how", INSTEAD)
def test_the_camera_app_where_the_live_camera_is_refused_or_missing(
    visit: Callable[..., Visitor], pictures: Callable[..., Path], tmp_path: Path, how: str, eventually: Callable[..., Any]
) -> None:
    phone = visit(390, 844, has_touch=True, is_mobile=True)
    phone.page.add_init_script(INSTEAD[how])
    project = Project.create(f"phone {how}", [])
    phone.open("Data", project=project.folder.name)
    if how == "refused":
        phone.button("Turn the camera on").click()
    phone.button("Take pictures").wait_for()
    why = {"refused": "does not let this page see the camera", "missing": "shows no live camera here"}
    phone.page.get_by_text(why[how]).wait_for()
    assert phone.page.locator(".in-camera").get_attribute("capture") == "environment"
    phone.page.get_by_label(CLASS).fill("leaf")
    photos = sorted((pictures(["x"], count=3, under=tmp_path / "photos") / "x").iterdir())
    phone.page.locator(".in-camera").set_input_files(photos)
    eventually(lambda: len(taken(project, "leaf")) == 3)
    phone.page.get_by_text("leaf: 3 taken").wait_for()
    assert not phone.has_horizontal_scrolling()

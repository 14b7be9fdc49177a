"""A phone joins by the link: over HTTPS, with the camera, and without the disk of the computer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Error

from tests.e2e.conftest import App, Visitor

pytestmark = pytest.mark.browser

PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "has_touch": True,
    "is_mobile": True,
    "ignore_https_errors": True,
    "locale": "en-US",
}


@pytest.fixture
def shared(tmp_path: Path, browser: Browser) -> Iterator[App]:
    """The app, shared."""
    app = App(tmp_path / "shared home", "--share")
    app.start()
    yield app
    app.stop()


def test_a_phone_joins_and_takes_pictures(
    shared: App, browser: Browser, eventually: Callable[..., Any], pictures: Callable[..., Path], tmp_path: Path
) -> None:
    context = browser.new_context(**PHONE)
    phone = Visitor(context.new_page(), shared)
    without = shared.link.partition("?")[0]
    phone.page.goto(without)
    phone.page.get_by_text("this address has not its secret").wait_for()
    phone.page.goto(shared.link)
    phone.heading("Teach your computer to tell pictures apart")
    assert "key=" not in phone.page.url
    phone.settle()
    text = phone.text()
    assert "on this computer" not in text and "Browse" not in text
    phone.page.get_by_label("Name of the project").fill("leaves")
    phone.button("Use the camera").click()
    phone.heading("Your pictures")
    phone.button("Turn the camera on").click()
    hold = phone.button("Hold to take pictures")
    hold.wait_for()
    phone.page.wait_for_timeout(500)
    phone.page.get_by_label("Class that the pictures show").fill("oak")
    hold.hover()
    phone.page.mouse.down()
    time.sleep(2)
    phone.page.mouse.up()
    eventually(lambda: len(list((shared.home / "leaves" / "camera" / "oak").glob("*.jpg"))) >= 10)
    phone.page.get_by_text("Send pictures through the browser").scroll_into_view_if_needed()
    phone.page.locator(".in-files").set_input_files(sorted((pictures(["x"], count=2, under=tmp_path / "elm") / "x").iterdir()))
    phone.page.get_by_label("Class", exact=True).fill("elm")
    phone.button("Send").click()
    eventually(lambda: len(list((shared.home / "leaves" / "added" / "elm").glob("*.jpg"))) == 2)
    assert not phone.has_horizontal_scrolling()
    context.close()


def test_a_browser_that_does_not_know_the_certificate_is_warned(shared: App, browser: Browser) -> None:
    """Which is why the pages and the command show its fingerprint."""
    context = browser.new_context()
    page = context.new_page()
    with pytest.raises(Error, match="ERR_CERT_AUTHORITY_INVALID"):
        page.goto(shared.link)
    context.close()


def test_the_code_is_on_the_home_and_the_settings_page(shared: App, browser: Browser) -> None:
    context = browser.new_context(ignore_https_errors=True, locale="en-US", viewport={"width": 1280, "height": 1000})
    visitor = Visitor(context.new_page(), shared)
    visitor.page.goto(shared.link)
    visitor.settle()
    for page in ("", "Settings"):
        visitor.page.goto(f"https://localhost:{shared.port}/{page}")
        visitor.page.get_by_text("Let a phone join").click()
        code = visitor.page.get_by_alt_text("Code with the link to these pages")
        code.wait_for()
        assert code.evaluate("image => image.naturalWidth") > 100
        visitor.page.get_by_text("SHA-256").first.wait_for()
        assert shared.link.partition("key=")[2] in visitor.text()
    context.close()

"""The Settings page's field for a mirror of weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.pages.test_pages import said
from transfer_core.backbones.published import MIRROR, mirror

OpenPage = Callable[..., AppTest]


@pytest.fixture(autouse=True)
def no_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(MIRROR, raising=False)


def save(page: AppTest, text: str) -> AppTest:
    page.text_input(key="mirror-text").set_value(text)
    return page.button(key="save-mirror").click().run()


@pytest.mark.parametrize("address", ["https://mirror.example/weights/", "folder"])
def test_an_address_or_a_folder_is_kept(address: str, open_page: OpenPage, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    text = str(tmp_path / "folder") if address == "folder" else address
    page = save(open_page("Settings"), text)
    assert not page.exception and not page.error and len(page.success) == 1
    assert mirror() == text.rstrip("/")
    again = open_page("Settings")
    assert again.text_input(key="mirror-text").value == mirror()
    save(again, "")
    assert mirror() == ""


def test_what_is_neither_is_said_and_not_kept(open_page: OpenPage) -> None:
    page = save(open_page("Settings"), "no/such *folder*")
    assert not page.exception and not page.success
    assert "neither an address nor a folder" in page.error[0].value
    assert mirror() == "" and page.text_input(key="mirror-text").value == "no/such *folder*"


def test_what_the_environment_sets_can_only_be_read(open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MIRROR, "https://mirror.example")
    page = open_page("Settings")
    assert not page.exception
    field = page.text_input(key="mirror-set")
    assert field.disabled and field.value == "https://mirror.example"
    assert MIRROR in said(page)
    assert not [button for button in page.button if button.key == "save-mirror"]

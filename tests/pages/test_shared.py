"""While the pages are shared, the disk of this computer is not to be seen: neither the doors nor what is behind them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui import folders, opening, sources
from transfer_core import i18n, preferences
from transfer_core.data.project import Project
from transfer_core.data.scan import scan
from transfer_core.web import access, sharing
from transfer_core.web.access import AccessError

ADDRESS = "https://192.0.2.9:8501"
DOORS = {"Folder, zip or CSV on this computer", "Open", "Browse…"}
OTHER_DOORS = {
    "Data": "Add pictures from this computer",
    "Backbone": "Use a file with weights of your own",
    "Settings": "Mirror of weights",
}


@pytest.fixture(autouse=True)
def shared(studio_home: Path) -> Iterator[sharing.Sharing]:
    before = access.current()
    ours = sharing.begin([ADDRESS], "AB:CD")
    access.begin(["localhost"], 8501, ours.key)
    yield ours
    access._current = before


def labels(page: AppTest) -> set[str]:
    return {element.label for kind in ("text_input", "button", "expander") for element in page.get(kind)}


def test_home_offers_what_needs_no_path(open_page: Callable[..., AppTest], project: Project, shared: sharing.Sharing) -> None:
    page = open_page("")
    assert not page.exception and not page.error
    said = labels(page)
    assert not said & DOORS
    assert {"Send pictures through the browser", "Take pictures with the camera", "Let a phone join"} <= said
    assert not [element for element in page.get("menu_button") if element.label == "Used before"]
    assert shared.links[0] in [code.value for code in page.code] and shared.fingerprint in [code.value for code in page.code]


def test_other_pages_offer_no_path(open_page: Callable[..., AppTest], project: Project) -> None:
    for name in ("Data", "Backbone", "Train", "Results", "Try", "Runs", "Settings"):
        page = open_page(name, project=project.folder.name)
        assert not page.exception and not page.error, name
        assert not labels(page) & {*OTHER_DOORS.values(), "File on this computer", "Where it is now"}
        assert str(project.sources[0].folder) not in str([element.proto for element in page.get("html")]), name


def test_at_the_computer_the_doors_are_there(open_page: Callable[..., AppTest], project: Project) -> None:
    """Or the two tests above would find nothing however the doors are called."""
    access.begin(["localhost"], 8501)
    assert labels(open_page("")) >= DOORS
    for name, door in OTHER_DOORS.items():
        assert door in labels(open_page(name, project=project.folder.name)), name


def test_nobody_chooses_for_all_the_others(open_page: Callable[..., AppTest]) -> None:
    """The language is each browser's own, and whether there are automatic models is said at the computer."""
    page = open_page("Settings")
    assert not page.toggle
    page.segmented_control(key="language-choice").set_value("zh_CN").run()
    assert not page.exception and page.title[0].value == "设置" and page.query_params["lang"] == "zh_CN"
    assert "language" not in preferences.read() and open_page("Settings").title[0].value == "Settings"
    access.begin(["localhost"], 8501)
    assert [toggle.key for toggle in open_page("Settings").toggle] == ["automatic-wanted"]
    i18n.set_language(None)


def test_a_folder_that_is_gone_is_not_looked_for(open_page: Callable[..., AppTest], project: Project) -> None:
    project.sources[0].folder.rename(project.sources[0].folder.with_name("gone"))
    page = open_page("Data", project=project.folder.name)
    assert not page.exception and "Where it is now" not in labels(page) and "Browse…" not in labels(page)
    assert any("at the computer" in caption.value for caption in page.caption)


def test_a_project_elsewhere_is_not_opened(open_page: Callable[..., AppTest], project: Project, tmp_path: Path) -> None:
    elsewhere = project.folder.rename(tmp_path / "elsewhere")
    for key in (str(elsewhere), "../elsewhere"):
        page = open_page("Data", project=key)
        assert len(page.error) == 1 and not page.metric, key


@pytest.mark.parametrize(
    "look",
    [
        lambda folder: folders.typed_folder(str(folder)),
        lambda folder: folders.typed_file(str(folder / "x")),
        lambda folder: folders.typed_path(str(folder)),
        lambda folder: folders.typed_place(str(folder)),
        folders.look_into,
        opening.open_folder,
    ],
)
def test_what_is_behind_the_doors_refuses(look: Callable[[Path], Any], pictures: Callable[..., Path]) -> None:
    """A page that was open before, or a hand-made message, gets no further than the doors do."""
    with pytest.raises(AccessError) as caught:
        look(pictures())
    assert caught.value.code == "shared"


def test_a_source_is_not_moved(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scan(project)
    old = project.sources[0].folder
    sources._move(project, old, tmp_path)
    assert Project.open(project.folder).sources[0].folder == old


def test_copies_are_offered_at_the_computer_alone(project: Project) -> None:
    """They are written into any folder that somebody names."""

    def script() -> None:
        from pathlib import Path

        import streamlit as st

        from pages.ui import exporting
        from transfer_core.data.project import Project

        exporting.draw(Project.open(Path(st.query_params["folder"])))

    def shown() -> set[str]:
        page = AppTest.from_function(script)
        page.query_params["folder"] = str(project.folder)
        return labels(page.run())

    assert "New folder" not in shown()
    access.begin(["localhost"], 8501)
    assert "New folder" in shown()

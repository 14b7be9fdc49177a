"""From the home page to a model that answers: how many presses it takes, on the sample and on a folder given by its path."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from transfer_core.data.project import Project
from transfer_core.runs.folder import list_runs

if TYPE_CHECKING:
    from tests.e2e.conftest import App, Visitor

pytestmark = pytest.mark.browser

TRAINING = 120_000  # milliseconds
MOST_PRESSES = 4


def test_the_sample_in_four_presses(visitor: Visitor, app: App) -> None:
    visitor.open()
    visitor.button("Try the sample").click()
    visitor.heading("Your pictures")
    visitor.button("Next: train").click()
    visitor.heading("Train")
    visitor.button("Start training").click()
    visitor.heading("Your model is ready", TRAINING)
    assert visitor.presses <= MOST_PRESSES
    tried_on_the_spot(visitor, next((app.home / ".studio" / "sample").rglob("*.jpg")))
    assert visitor.presses <= MOST_PRESSES, "trying the model takes no further press"
    assert visitor.page.title().startswith("Finished")
    assert not visitor.foreign, "the browser asked somebody else"


def test_a_folder_by_its_path_in_four_presses(visitor: Visitor, shared: Path) -> None:
    folder = shared / "data" / "flowers5"
    visitor.open()
    visitor.page.get_by_label("Folder, zip or CSV on this computer").click()
    visitor.page.keyboard.insert_text(str(folder))
    visitor.button("Open").click()
    visitor.heading("Your pictures")
    visitor.page.get_by_text("370", exact=True).first.wait_for()
    visitor.button("Next: train").click()
    visitor.heading("Train")
    visitor.button("Start training").click()
    visitor.heading("Your model is ready", TRAINING)
    assert visitor.presses <= MOST_PRESSES
    tried_on_the_spot(visitor, next((folder / "test" / "roses").iterdir()))
    assert visitor.presses <= MOST_PRESSES
    results_and_keeping(visitor)
    used_before(visitor, folder)


def tried_on_the_spot(visitor: Visitor, picture: Path) -> None:
    """The Train page itself has the accuracy, held-out pictures that are answered, and answers to one that is dropped."""
    held_out = visitor.page.get_by_role("list", name="Held-out pictures with the model's answers").get_by_role("listitem")
    held_out.first.wait_for()
    assert held_out.count() >= 5
    text = visitor.text()
    assert "Right answers" in text and "held-out pictures were answered rightly" in text and "%" in text
    visitor.page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(picture)
    answered = visitor.page.get_by_role("list", name="Your pictures with the model's answers").get_by_role("listitem")
    answered.first.wait_for()
    assert "%" in answered.first.inner_text() and picture.name in answered.first.inner_text()


def results_and_keeping(visitor: Visitor) -> None:
    """The other two pages about the model show what they are for."""
    visitor.button("See what it gets wrong").click()
    visitor.heading("How good it is")
    visitor.page.get_by_test_id("stPlotlyChart").wait_for()
    text = visitor.text()
    assert all(
        part in text for part in ("Class by class", "Range to expect", "What was taken for what", "The pictures it got wrong")
    )
    visitor.button("Next: try it").click()
    visitor.heading("Try your model")
    with visitor.page.expect_download() as download:
        visitor.page.get_by_role("button", name="Download the model").click()
    assert download.value.suggested_filename == "flowers5.zip"


def used_before(visitor: Visitor, folder: Path) -> None:
    """A folder that was open is offered again, and opening it again opens the same project."""
    visitor.open()
    visitor.button("Used before").click()
    visitor.page.get_by_role("menuitem").filter(has_text="flowers5").click()
    visitor.heading("Your pictures")
    assert "project=flowers5" in visitor.page.url


def test_looking_for_a_folder_on_the_disk(visitor: Visitor, pictures: Callable[..., Path], app: App) -> None:
    folder = pictures(under=Path(app.home).parent / "somewhere" / "figures")
    visitor.open()
    visitor.button("Browse…").click()
    visitor.button("Whole disk").click()
    dialog = visitor.page.get_by_role("dialog")
    for place in [*reversed(folder.parents), folder][1:]:
        dialog.get_by_role("button", name=place.name, exact=True).click()
        dialog.get_by_text(str(place), exact=True).wait_for()
    visitor.page.get_by_text("3 folders here").wait_for()
    visitor.button("Open this folder").click()
    visitor.heading("Your pictures")
    visitor.page.get_by_text("36", exact=True).first.wait_for()


def test_a_wrong_path_is_answered(visitor: Visitor, eventually: Callable[..., Any]) -> None:
    visitor.open()
    visitor.page.get_by_label("Folder, zip or CSV on this computer").fill("/no/such <b>folder</b>")
    visitor.page.keyboard.press("Enter")
    visitor.page.get_by_text("/no/such <b>folder</b> does not exist").wait_for()
    visitor.page.get_by_label("Folder, zip or CSV on this computer").fill("  ")
    visitor.page.keyboard.press("Enter")
    visitor.page.get_by_text("No folder was given.").wait_for()


def test_two_presses_start_one_training(visitor: Visitor, shapes: Project) -> None:
    visitor.open("Train", project=shapes.folder.name)
    visitor.button("Start training").dblclick()
    visitor.heading("Your model is ready", TRAINING)
    assert len(list_runs(shapes.folder)) == 1

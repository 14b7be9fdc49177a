"""The form of all settings in a browser: what only a browser shows of its fields, and a learning rate from its search to its field."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from pages.ui import drafts
from transfer_core.data.project import Project
from transfer_core.training.settings import RunSettings

if TYPE_CHECKING:
    from tests.e2e.conftest import Visitor

pytestmark = pytest.mark.browser

SEARCH = 180_000  # milliseconds
MORE = "field.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowUp', bubbles: true}))"


def test_a_rate_is_found_and_taken(visitor: Visitor, shapes: Project, eventually: Callable[..., Any]) -> None:
    drafts.change(shapes, plan="custom", freeze="all", batch_size=4, image_size=64)
    visitor.open("Train", project=shapes.folder.name)
    visitor.button("Find a learning rate").click()
    visitor.page.get_by_test_id("stProgress").wait_for()
    take = visitor.page.get_by_role("button", name="Take").first
    take.wait_for(timeout=SEARCH)
    visitor.page.get_by_test_id("stPlotlyChart").wait_for()
    wanted = float(take.inner_text().split()[-1])
    take.click()
    eventually(lambda: drafts.read(shapes).learning_rate == wanted)
    visitor.page.get_by_text(f"{wanted:g} is set").wait_for()
    visitor.settle()
    assert float(visitor.page.get_by_label("Learning rate", exact=True).input_value()) == wanted


def test_a_switch_says_what_it_is_and_goes_back_to_that(
    visitor: Visitor, shapes: Project, eventually: Callable[..., Any]
) -> None:
    """A number by being emptied, a yes or no by its first choice; the button stays in sight down there."""
    drafts.change(shapes, plan="custom")
    visitor.open("Train", project=shapes.folder.name)
    visitor.page.get_by_text("Each change of the pictures by itself").click()
    light = visitor.page.get_by_label("Brightness and contrast", exact=True)
    assert light.get_attribute("placeholder") == "As above: 0.2"
    light.fill("0.4")
    light.press("Enter")
    eventually(lambda: drafts.read(shapes).light == 0.4)
    light.fill("")
    light.press("Enter")
    eventually(lambda: drafts.read(shapes).light is None)
    mirror = visitor.page.get_by_role("combobox", name="Mirror")
    assert mirror.input_value() == "As above: yes"
    mirror.click()
    visitor.page.get_by_role("option", name="no", exact=True).click()
    eventually(lambda: drafts.read(shapes).mirror is False)
    box = visitor.button("Start training").bounding_box()
    assert box is not None and 0 <= box["y"] <= 1000


def test_the_form_fits_a_phone(visit: Callable[..., Visitor], shapes: Project) -> None:
    drafts.change(shapes, plan="custom", head="mlp", steps=1, minutes=1)
    phone = visit(width=390)
    phone.open("Train", project=shapes.folder.name)
    for title in ("Against learning by heart", "Each change of the pictures by itself", "This computer"):
        phone.page.get_by_text(title, exact=True).first.click()
        phone.settle()
    assert not phone.has_horizontal_scrolling()
    assert phone.button("Start training").is_disabled() and phone.button("Find a learning rate").is_disabled()


def test_changes_one_right_after_another_are_all_kept(visitor: Visitor, shapes: Project, eventually: Callable[..., Any]) -> None:
    """Each asks for the page anew, before it is drawn for the one before; so does what follows a press of a button."""
    before = drafts.change(shapes, plan="custom", freeze="none", epochs=10, layer_decay=0.5)
    visitor.open("Train", project=shapes.folder.name)
    fields = visitor.page.get_by_test_id("stNumberInputField")
    fields.last.wait_for()
    fields.evaluate_all(f"fields => fields.forEach((field, number) => setTimeout(() => {MORE}, 10 * number))")
    eventually(lambda: len(_changed(before, drafts.read(shapes))) == fields.count())
    between = drafts.read(shapes)
    assert between.epochs == 11
    visitor.settle()
    visitor.page.get_by_label("Epochs").evaluate(
        f"field => {{ document.querySelector('.st-key-wise-depth button').click(); setTimeout(() => {MORE}, 30) }}"
    )
    eventually(lambda: _changed(between, drafts.read(shapes)) == {"freeze", "epochs"})
    visitor.settle()
    assert visitor.page.get_by_label("Epochs").input_value() == "12"


def _changed(before: RunSettings, after: RunSettings) -> set[str]:
    return {name for name, value in after.model_dump().items() if value != getattr(before, name)}

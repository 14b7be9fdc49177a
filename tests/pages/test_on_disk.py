"""A widget that shows what is on disk: changes go there, others' changes are shown, and what a browser has not heard of is no change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest


def page(file: str) -> None:
    """A number that is kept in a file."""
    import json
    from pathlib import Path

    import streamlit as st

    from pages.ui import on_disk

    def save(value: int) -> None:
        Path(file).write_text(json.dumps([*json.loads(Path(file).read_text()), value]))

    value = json.loads(Path(file).read_text())[-1]
    st.number_input("Number", **on_disk.bound("number", value, save, value=value))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "values.json"
    made.write_text("[5]")
    return made


def opened(file: Path) -> AppTest:
    return AppTest.from_function(page, args=(str(file),)).run()


def kept(file: Path) -> list[Any]:
    return list(json.loads(file.read_text()))


def test_a_change_is_saved_and_the_browser_is_not_told_what_to_show(file: Path) -> None:
    """Told, it would show an older value in the place of one that was chosen while the page was drawn."""
    app = opened(file)
    assert app.number_input[0].value == 5 and app.number_input[0].proto.default == 5
    app.number_input[0].set_value(7).run()
    assert kept(file) == [5, 7]
    assert app.number_input[0].value == 7 and not app.number_input[0].proto.set_value


def test_what_others_changed_is_shown_by_another_widget(file: Path) -> None:
    app = opened(file)
    before = app.number_input[0].proto.id
    file.write_text("[5, 9]")
    app.run()
    assert app.number_input[0].value == 9 and app.number_input[0].proto.id != before
    app.number_input[0].set_value(11).run()
    assert kept(file) == [5, 9, 11]


def test_what_the_browser_tells_before_it_has_heard_is_no_change(file: Path) -> None:
    app = opened(file)
    stale = app.number_input[0]
    file.write_text("[5, 9]")
    app.run()
    tell(app, stale, 5)
    assert kept(file) == [5, 9]
    assert app.number_input[0].value == 9
    # But what somebody changed there, meanwhile, is.
    tell(app, stale, 6)
    assert kept(file) == [5, 9, 6]
    assert app.number_input[0].value == 6


def tell(app: AppTest, widget: Any, value: int) -> None:
    """Run the page with what a browser tells of a widget that is not on the page any more, besides that which is."""
    states = app._tree.get_widget_states()
    states.widgets.append(widget.set_value(value)._widget_state)
    app._run(widget_state=states)


def choice(file: str) -> None:
    """A select box whose labels hang on something else, and a number that can be left empty."""
    import json
    from pathlib import Path

    import streamlit as st

    from pages.ui import on_disk

    def save(**changes: object) -> None:
        Path(file).write_text(json.dumps(json.loads(Path(file).read_text()) | changes))

    kept = json.loads(Path(file).read_text())
    labels = [f"{option}, now {kept['said']}" for option in ("a", "b")]
    bound = on_disk.bound(
        "choice", kept["choice"], lambda value: save(choice=value), index="ab".index(kept["choice"]), labels=labels
    )
    st.selectbox("Choice", ["a", "b"], format_func=lambda option: labels["ab".index(option)], **bound)
    st.number_input("Number", value=None, **on_disk.bound("number", kept["number"], lambda value: save(number=value)))


@pytest.fixture
def both(tmp_path: Path) -> Path:
    made = tmp_path / "both.json"
    made.write_text(json.dumps({"choice": "a", "said": "x", "number": 3}))
    return made


def test_a_choice_whose_labels_change_is_still_that_choice(both: Path) -> None:
    """To the browser the label is the value: it goes on telling the old one."""
    app = AppTest.from_function(choice, args=(str(both),)).run()
    app.selectbox[0].set_value("b, now x").run()
    before = app.selectbox[0]
    told = before._widget_state
    both.write_text(json.dumps(json.loads(both.read_text()) | {"said": "y"}))
    app.run()
    assert app.selectbox[0].value == "b" and app.selectbox[0].proto.id != before.proto.id
    states = app._tree.get_widget_states()
    states.widgets.append(told)
    app._run(widget_state=states)
    assert not app.exception and json.loads(both.read_text())["choice"] == "b"


def test_a_field_that_can_be_empty_is_told_its_value_until_somebody_changes_it(both: Path) -> None:
    app = AppTest.from_function(choice, args=(str(both),)).run()
    assert app.number_input[0].value == 3 and app.number_input[0].proto.set_value
    assert app.run().number_input[0].proto.set_value, "the first drawing may not have reached the browser"
    app.number_input[0].set_value(4).run()
    assert json.loads(both.read_text())["number"] == 4 and not app.number_input[0].proto.set_value
    app.number_input[0].set_value(None).run()
    assert json.loads(both.read_text())["number"] is None and app.number_input[0].value is None

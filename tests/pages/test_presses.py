"""What somebody changes or presses is done, also when the next request of the browser comes before the page is drawn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui import presses


@pytest.fixture
def kept() -> Iterator[None]:
    presses.keep_all()
    yield
    presses.lose_some()


def page() -> None:
    """A number and a button, each followed at once by another request; the number's comes before its callback has begun to look."""
    import streamlit as st
    from streamlit.runtime.scriptrunner import RerunData, get_script_run_ctx

    def another_request() -> None:
        context = get_script_run_ctx()
        assert context is not None
        runner: Any = context.session_state._yield_callback
        runner.__self__.request_rerun(RerunData(page_script_hash=context.page_script_hash))

    def changed() -> None:
        another_request()
        st.session_state["told"] = st.session_state["number"]

    drawings = st.session_state["drawings"] = st.session_state.get("drawings", 0) + 1
    st.number_input("Number", value=0, key="number", on_change=changed)
    if drawings == st.session_state.get("press at"):
        another_request()
    st.caption("between")
    if st.button("Press", key="press"):
        st.session_state["pressed"] = True
    st.session_state["ends"] = st.session_state.get("ends", 0) + 1


def test_a_callback_is_not_broken_off_by_the_next_request(kept: None) -> None:
    app = AppTest.from_function(page).run()
    app.number_input(key="number").set_value(7).run()
    assert app.session_state["told"] == 7
    assert app.session_state["drawings"] > 1


def test_a_press_is_not_forgotten_before_its_button_is_drawn(kept: None) -> None:
    app = AppTest.from_function(page).run()
    app.session_state["press at"] = 2
    app.button(key="press").click().run()
    assert app.session_state["pressed"]
    assert app.session_state["drawings"] == app.session_state["ends"] == 3, "the other request is carried out as well"


def test_a_drawing_for_no_press_makes_way(kept: None) -> None:
    app = AppTest.from_function(page).run()
    app.session_state["press at"] = 2
    app.run()
    assert (app.session_state["drawings"], app.session_state["ends"]) == (3, 2), "the second was broken off"


def test_without_it_both_are_lost() -> None:
    """What this is for: when this fails, Streamlit does it by itself, and `presses` can go."""
    app = AppTest.from_function(page).run()
    app.number_input(key="number").set_value(7).run()
    assert "told" not in app.session_state
    app.session_state["press at"] = app.session_state["drawings"] + 1
    app.button(key="press").click().run()
    assert "pressed" not in app.session_state

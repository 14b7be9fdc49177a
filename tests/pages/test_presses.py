"""What somebody changes or presses is done, also when the next request of the browser comes before the page is drawn."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest.mock import MagicMock

import pytest
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.runtime.app_session import AppSession
from streamlit.runtime.script_data import ScriptData
from streamlit.runtime.scriptrunner import ScriptRunner
from streamlit.runtime.state import SafeSessionState
from streamlit.testing.v1 import AppTest

from pages.ui import presses


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> None:
    for owner, name in (
        (ScriptRunner, "request_rerun"),
        (ScriptRunner, "_set_execing_flag"),
        (SafeSessionState, "on_script_will_rerun"),
        (AppSession, "request_rerun"),
        (AppSession, "_handle_stop_script_request"),
    ):
        monkeypatch.setattr(owner, name, getattr(owner, name))  # is back after the test
    presses.keep_all()


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


def leaving() -> None:
    """A page whose button goes to another page; while it is drawn, the browser asks for this one again."""
    import streamlit as st
    from streamlit.runtime.scriptrunner import RerunData, get_script_run_ctx

    context = get_script_run_ctx()
    assert context is not None
    here = context.page_script_hash
    pages = st.session_state.setdefault("pages", [])

    def first() -> None:
        pages.append("first")
        if st.button("Go", key="go"):
            runner: Any = context.session_state._yield_callback
            runner.__self__.request_rerun(RerunData(page_script_hash=here))
            st.switch_page(there)

    def second() -> None:
        pages.append("second")
        st.caption("arrived")

    there = st.Page(second, title="second")
    st.navigation([st.Page(first, title="first"), there]).run()


def test_a_page_that_leads_to_another_is_not_called_back(kept: None) -> None:
    app = AppTest.from_function(leaving).run()
    app.button(key="go").click().run()
    assert not app.exception
    assert app.session_state["pages"] == ["first", "first", "second"]


def test_who_asks_while_the_drawing_stops_is_told_to_begin_another(kept: None) -> None:
    """A connection that is lost has its drawing stopped; the next one has a runner of its own."""
    app = AppTest.from_function(stopped).run()
    app.button(key="press").click().run()
    assert app.session_state["accepted"] == [True, False]


def stopped() -> None:
    import streamlit as st
    from streamlit.runtime.scriptrunner import RerunData, get_script_run_ctx

    context = get_script_run_ctx()
    assert context is not None
    runner: Any = context.session_state._yield_callback
    request = RerunData(page_script_hash=context.page_script_hash)
    if st.button("Press", key="press"):
        accepted = st.session_state["accepted"] = [runner.__self__.request_rerun(request)]
        runner.__self__.request_stop()
        accepted.append(runner.__self__.request_rerun(request))


def test_a_press_that_a_timer_told_of_as_well_is_done_once(kept: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The browser tells of it with the request of a timer that is due then, and after that with its own."""
    drawn: list[Any] = []
    monkeypatch.setattr(AppSession, "_create_scriptrunner", lambda session, data: drawn.append(data))
    for by_a_timer in (True, False):
        asyncio.run(tell_of_a_press(by_a_timer))
    assert [[widget.id for widget in data.widget_states.widgets] for data in drawn] == [["number"], ["number", "button"]]


async def tell_of_a_press(by_a_timer: bool) -> None:
    session: Any = AppSession(ScriptData("page.py"), MagicMock(), MagicMock(), None, {})
    client = ClientState(is_auto_rerun=by_a_timer)
    client.widget_states.widgets.add(id="number", int_value=3)
    client.widget_states.widgets.add(id="button", trigger_value=True)
    session.request_rerun(client)


def test_without_it_both_are_lost() -> None:
    """What this is for: when this fails, Streamlit does it by itself, and `presses` can go."""
    app = AppTest.from_function(page).run()
    app.number_input(key="number").set_value(7).run()
    assert "told" not in app.session_state
    app.session_state["press at"] = app.session_state["drawings"] + 1
    app.button(key="press").click().run()
    assert "pressed" not in app.session_state

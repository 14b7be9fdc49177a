"""What goes wrong in a callback is said by the page that is drawn next, and long enough to be read."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui import guard


def page() -> None:
    import streamlit as st

    from pages.ui.guard import fragment, guard, show_error, take_kept
    from transfer_core.errors import TransferError

    def fail() -> None:
        with guard():
            raise TransferError("It did not work.")
        with guard():
            raise ValueError("a value that nobody foresaw")

    st.title("The page")
    for error in take_kept(st.session_state.get("page", "data")):
        show_error(error)
    fragment()(lambda: st.button("Press", key="press", on_click=fail))()


def test_what_goes_wrong_in_a_callback_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    app = AppTest.from_function(page).run()
    assert not app.error
    app.button(key="press").click().run()
    assert app.title[0].value == "The page"
    assert len(app.error) == 2
    assert "It did not work" in app.error[0].value and "did not foresee" in app.error[1].value
    app.run()
    assert len(app.error) == 2, "a page that draws itself anew at once still says it"
    app.session_state["page"] = "train"
    app.run()
    assert not app.error
    app.session_state["page"] = "data"
    app.button(key="press").click().run()
    monkeypatch.setattr(guard, "_LONG", 0.0)
    app.run()
    assert not app.error

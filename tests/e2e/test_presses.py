"""A page stays whole in a browser: Streamlit's own “Stop” is neither shown nor listened to, and a press that comes too late is answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from pages.ui import drafts
from transfer_core.data.project import Project
from transfer_core.runs import launch
from transfer_core.runs.folder import list_runs
from transfer_core.runs.state import read_state

if TYPE_CHECKING:
    from playwright.sync_api import WebSocketRoute

    from tests.e2e.conftest import Visitor

pytestmark = pytest.mark.browser


class Line:
    """The line between a page and its server.

    Once it `holds`, what a drawing sends after its beginning waits for `let_go`. Once it `stops`, what the “Stop” of Streamlit
    asks for follows each of the page's requests. `before_presses` is called before a press of a button is passed on.
    """

    def __init__(self, visitor: Visitor, before_presses: Callable[[], object] = int):
        self.holds = self.stops = False
        self._before_presses = before_presses
        self._waiting: list[str | bytes] = []
        visitor.page.route_web_socket("**/_stcore/stream", self._connect)

    def _connect(self, browser: WebSocketRoute) -> None:
        self._browser, self._server = browser, browser.connect_to_server()
        browser.on_message(self._ask)
        self._server.on_message(self._answer)

    def _ask(self, message: str | bytes) -> None:
        assert isinstance(message, bytes)
        if any(widget.trigger_value for widget in BackMsg.FromString(message).rerun_script.widget_states.widgets):
            self._before_presses()
        self._server.send(message)
        if self.stops:
            self._server.send(BackMsg(stop_script=True).SerializeToString())

    def _answer(self, message: str | bytes) -> None:
        assert isinstance(message, bytes)
        told = ForwardMsg.FromString(message)
        if self.holds and not (told.HasField("new_session") or told.session_status_changed.script_is_running):
            self._waiting.append(message)
        else:
            self._browser.send(message)

    def let_go(self) -> None:
        self.holds = False
        for message in self._waiting:
            self._browser.send(message)


def test_a_page_is_not_stopped_halfway(visitor: Visitor, shapes: Project, eventually: Callable[..., Any]) -> None:
    """Stopped at its beginning, it would be empty, and stay so."""
    line = Line(visitor)
    visitor.open("Train", project=shapes.folder.name)
    line.stops = True
    visitor.page.get_by_test_id("stMain").get_by_text("Better", exact=True).click()
    eventually(lambda: visitor.page.wait_for_timeout(100) or drafts.read(shapes).plan == "better")  # the line is open meanwhile
    visitor.settle()
    visitor.page.get_by_text("The same from a terminal").wait_for()


def test_a_page_that_takes_long_offers_no_stop(visitor: Visitor, shapes: Project) -> None:
    line = Line(visitor)
    visitor.open("Train", project=shapes.folder.name)
    line.holds = True
    visitor.page.get_by_test_id("stMain").get_by_text("Better", exact=True).click()
    status = visitor.page.get_by_test_id("stStatusWidget")
    status.wait_for()
    assert visitor.page.get_by_role("img", name="Running...").is_visible()
    assert status.get_by_role("button").count() == 0, "it would be taken for the stop of a training"
    line.let_go()
    visitor.settle()


def test_a_press_that_comes_too_late_leaves_the_page_whole(
    visitor: Visitor, shapes: Project, eventually: Callable[..., Any]
) -> None:
    """What goes wrong with it would be drawn in the place of the page, and the browser would show nothing from then on."""

    def end() -> None:
        if run := next(iter(list_runs(shapes.folder)), None):
            launch.finish(run)
            eventually(lambda: read_state(run).ended)

    drafts.change(shapes, plan="custom", freeze="all", epochs=400)
    Line(visitor, before_presses=end)
    visitor.open("Train", project=shapes.folder.name)
    visitor.button("Start training").click()
    visitor.button("Finish now").click()
    # It says too what went wrong with the press, unless it had seen before that the training had ended, and the button is gone.
    visitor.heading("Your model is ready")
    visitor.settle()

"""How long a plan will take, on the Train page before it starts."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui import depths, drafts
from tests.pages.test_pages import said
from transfer_core.advice.speed import Speed
from transfer_core.data.project import Project

OpenPage = Callable[..., AppTest]


def test_the_time_of_the_chosen_plan(project: Project, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> None:
    """For the long plans, and what of it is only the first time; a custom training has its depths' times, quick is over soon."""
    monkeypatch.setattr(depths, "forward_speed", lambda _info, _threads: Speed(1.0, measured=True))
    drafts.change(project, plan="best", backbone="mobilenet_v2")
    told = said(open_page("Train", project=project.folder.name))
    assert "on this computer" in told and "only the first time" in told
    monkeypatch.setattr(depths, "forward_speed", lambda _info, _threads: Speed(1.0, measured=False))
    told = said(open_page("Train", project=project.folder.name))
    assert "Perhaps" in told and "only the first time" not in told
    drafts.change(project, plan="custom")
    assert "only the first time" not in said(open_page("Train", project=project.folder.name))
    monkeypatch.setattr(depths, "forward_speed", lambda _info, _threads: Speed(1e6, measured=True))
    drafts.change(project, plan="best")
    assert "on this computer." not in said(open_page("Train", project=project.folder.name))

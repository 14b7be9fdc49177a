"""A project of drawn pictures, looked through, and pages run without a browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui import findings
from transfer_core.data.project import Project
from transfer_core.data.scan import scan
from transfer_core.runs import automatic

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def nothing_by_itself(studio_home: Path) -> None:
    """No page begins a training that nobody asked for, but where a test is about that."""
    automatic.want(False)


@pytest.fixture
def project(pictures: Callable[..., Path]) -> Project:
    """Three classes of twelve pictures."""
    made = Project.for_source(pictures())
    scan(made)
    return made


@pytest.fixture
def open_page() -> Callable[..., AppTest]:
    """`open_page("Data", project="pictures")` runs a page with that address; "" is the home page."""

    def run(page: str, **query: Any) -> AppTest:
        test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=30)
        if page:
            test.switch_page(f"pages/{page}.py")
        for name, value in query.items():
            test.query_params[name] = value
        return test.run()

    return run


@pytest.fixture(autouse=True)
def no_check_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Data page of a test starts no process that looks at the pictures, unless the test is about that."""
    monkeypatch.setattr(findings, "BY_ITSELF", 0)

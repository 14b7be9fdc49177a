"""The real app in a real browser: a page server of its own home, and visitors whose presses are counted."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psutil
import pytest

pytest.importorskip("playwright", reason="browser tests need Playwright, of the development extras")
from playwright.sync_api import Browser, BrowserContext, Locator, Page, sync_playwright

from transfer_core.data.project import Project
from transfer_core.data.sample_project import sample_project
from transfer_core.data.scan import scan
from transfer_core.runs import queue
from transfer_core.runs.folder import Run, list_runs
from transfer_core.runs.process import is_alive, read_worker

ROOT = Path(__file__).parents[2]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A camera that shows a moving figure, allowed without a question.
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]
PATIENCE = 60_000  # milliseconds: computers that run tests are busy
# Presses that a hand makes; a press of Enter on a button is none.
COUNTER = "addEventListener('pointerdown', () => { window.presses = (window.presses || 0) + 1 }, true)"


def chromium() -> str:
    """The browser; without one a test is skipped, or fails where CI=true says that there must be one."""
    found = os.environ.get("CHROMIUM") or next((path for name in NAMES if (path := shutil.which(name))), None)
    if found:
        return found
    message = "no Chromium was found: apt-get install chromium, or set CHROMIUM to the path of one"
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(message)
    pytest.skip(message)


class App:
    """The app as `transfer-studio app` starts it, with a home of its own. `link` is what it says where it is."""

    def __init__(self, home: Path, *options: str):
        self.home = home
        self.options = options
        self.link = ""
        with socket.socket() as free:
            free.bind(("localhost", 0))
            self.port = free.getsockname()[1]
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> float:
        """Start it; returns when it says where it is, with the time of the start."""
        command = [sys.executable, "-m", "transfer_core.cli", "app", "--no-browser", "--port", str(self.port), *self.options]
        environment = os.environ | {"TRANSFER_STUDIO_HOME": str(self.home), "TRANSFER_STUDIO_LANGUAGE": "en"}
        began = time.monotonic()
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self.process.stdout
        self.link = self.process.stdout.readline().rpartition(" ")[2].strip()
        assert self.link, "the page server did not come up"
        return began

    def stop(self) -> None:
        """End it; trainings go on."""
        if self.process:
            self.process.terminate()
            self.process.wait(20)
            self.process = None

    @property
    def server(self) -> psutil.Process:
        """The process that serves the pages."""
        data = json.loads((self.home / ".studio" / "app" / "server.json").read_bytes())
        return psutil.Process(data["pid"])

    def address(self, page: str = "", **query: str) -> str:
        """The address of a page."""
        return f"http://localhost:{self.port}/{page}" + (f"?{urlencode(query)}" if query else "")


class Visitor:
    """A browser window, and what somebody does in it."""

    def __init__(self, page: Page, app: App):
        self.page = page
        self.app = app
        self.foreign: list[str] = []
        page.set_default_timeout(PATIENCE)
        page.add_init_script(COUNTER)
        page.on("request", self._note)

    def _note(self, request: Any) -> None:
        if not request.url.startswith((self.app.address(), f"ws://localhost:{self.app.port}", "data:", "blob:")):
            self.foreign.append(request.url)

    @property
    def presses(self) -> int:
        """How often a button was pressed or a field entered."""
        return int(self.page.evaluate("window.presses || 0"))

    def open(self, page: str = "", **query: str) -> None:
        """Go to a page by its address, and wait until it is drawn."""
        self.page.goto(self.app.address(page, **query))
        self.page.get_by_role("heading", level=1).wait_for()
        self.settle()

    def settle(self) -> None:
        """Wait until the page is not being drawn any more."""
        # The status widget shows only after a while, so on a busy computer its absence alone says nothing.
        self.page.wait_for_function(
            "document.querySelector('[data-testid=stApp]')?.dataset.testScriptState === 'notRunning'"
            " && !document.querySelector('[data-testid=stStatusWidget]') && document.querySelector('h1')"
        )

    def button(self, name: str) -> Locator:
        """The button of that name."""
        return self.page.get_by_role("button", name=name, exact=True)

    def heading(self, name: str, patience: float = PATIENCE) -> None:
        """Wait until the page is the one with this title."""
        self.page.get_by_role("heading", level=1, name=name, exact=True).wait_for(timeout=patience)

    def text(self) -> str:
        """All that the page says."""
        return self.page.get_by_test_id("stMain").inner_text()

    def has_horizontal_scrolling(self) -> bool:
        """Whether something is wider than the window."""
        return bool(
            self.page.evaluate(
                "(() => { const main = document.querySelector('[data-testid=stMain]');"
                " return main.scrollWidth > main.clientWidth || document.body.scrollWidth > innerWidth })()"
            )
        )


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests."""
    path = chromium()
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[App]:
    """One page server for all tests that don't need their own."""
    running = App(tmp_path_factory.mktemp("studio") / "home")
    # Tests count trainings and time pages: those that are about models made by themselves ask for them.
    settings = running.home / ".studio" / "settings" / "settings.json"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps({"automatic": False}), encoding="utf-8")
    running.start()
    yield running
    running.stop()
    end_trainings(running.home)


@pytest.fixture(autouse=True)
def same_home(studio_home: Path, app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test does through `transfer_core` happens where the app looks."""
    monkeypatch.setenv("TRANSFER_STUDIO_HOME", str(app.home))


@pytest.fixture(autouse=True)
def nothing_at_work(same_home: None) -> Iterator[None]:
    """Trainings that a test leaves waiting or at work would have those of the next one wait."""
    yield
    for entry in queue.order():
        queue.cancel(Run(entry.folder))
    for entry in queue.at_work():
        worker = read_worker(entry.folder)
        if worker is not None:
            with suppress(psutil.Error):
                psutil.Process(worker.pid).kill()


@pytest.fixture
def visit(browser: Browser, app: App) -> Iterator[Callable[..., Visitor]]:
    """Opens a browser window that knows nothing of others: `visit(width=390, ...)`."""
    contexts: list[BrowserContext] = []

    def open_window(width: int = 1280, height: int = 1000, **options: Any) -> Visitor:
        context = browser.new_context(viewport={"width": width, "height": height}, **({"locale": "en-US"} | options))
        contexts.append(context)
        return Visitor(context.new_page(), app)

    yield open_window
    for context in contexts:
        context.close()


@pytest.fixture
def visitor(visit: Callable[..., Visitor]) -> Visitor:
    """A browser window on a desktop."""
    return visit()


@pytest.fixture
def eventually() -> Callable[..., Any]:
    """`eventually(condition, patience=30)` gives what `condition()` gives, once it gives something true."""

    def wait(condition: Callable[[], Any], patience: float = 30.0, poll: float = 0.1) -> Any:
        deadline = time.monotonic() + patience
        while not (found := condition()):
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(poll)
        return found

    return wait


@pytest.fixture
def sample(same_home: None) -> Project:
    """The built-in sample as a project of the app's home, as it is when nobody did anything with it yet."""
    return untouched(sample_project())


@pytest.fixture
def shapes(same_home: None, pictures: Callable[..., Path], app: App) -> Project:
    """A project of few pictures, whose epochs are short, as it is when nobody did anything with it yet."""
    folder = app.home.parent / "shapes"
    return untouched(Project.for_source(folder if folder.is_dir() else pictures(count=16, under=folder)))


def untouched(project: Project) -> Project:
    """`project`, looked through, without the draft and the trainings of earlier tests."""
    if not project.table.count(split="train"):
        scan(project)
    (project.folder / "draft.json").unlink(missing_ok=True)
    for run in list_runs(project.folder):
        # One test that fails must not take the next ones along.
        worker = read_worker(run.folder)
        if worker is not None and is_alive(run):
            psutil.Process(worker.pid).kill()
        while is_alive(run):
            time.sleep(0.05)
        run.delete()
    return project


def end_trainings(home: Path) -> None:
    """Kill what still trains for tests in `home`."""
    for process in psutil.process_iter(["cmdline"]):
        if str(home) in " ".join(process.info["cmdline"] or []):
            process.kill()

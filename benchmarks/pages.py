"""The pages as a person meets them: how soon the first one stands, what the server needs, how long a tick of the live view takes.

    python -m benchmarks.pages

Needs a Chromium and Playwright; uses the built-in sample, so nothing else.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from benchmarks.figures import Report

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update"]
TICKS = 5


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("localhost", 0))
        return int(found.getsockname()[1])


def start_app(home: Path, port: int) -> subprocess.Popen[str]:
    """`transfer-studio app`, without opening a browser."""
    command = [sys.executable, "-m", "transfer_core.cli", "app", "--no-browser", "--port", str(port)]
    environment = os.environ | {"TRANSFER_STUDIO_HOME": str(home), "TRANSFER_STUDIO_LANGUAGE": "en"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)


def wait_for(port: int) -> None:
    """Return once somebody listens on the port; ends the benchmark where nobody does."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("localhost", port)) == 0:
                return
        time.sleep(0.01)
    raise SystemExit("the page server did not start")


def server_process(home: Path) -> psutil.Process:
    """The page server of this home."""
    return psutil.Process(json.loads((home / ".studio" / "app" / "server.json").read_bytes())["pid"])


def find_chromium() -> str | None:
    """The browser to measure with; None, and a word on it, where there is none."""
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        print("skipped: no Chromium was found; install one, or set CHROMIUM to its path")
    return chromium


def first_page(browser: Any, home: Path) -> tuple[float, subprocess.Popen[str], int]:
    """Seconds from the command until the home page's title is on the screen of an open browser."""
    port = free_port()
    page = browser.new_page()
    began = time.perf_counter()
    process = start_app(home, port)
    wait_for(port)
    page.goto(f"http://localhost:{port}/", wait_until="commit")
    page.get_by_role("heading", level=1).wait_for()
    seconds = time.perf_counter() - began
    page.close()
    return seconds, process, port


def ticks(page: Any, count: int) -> list[float]:
    """Seconds from the browser's request for a tick of the live view to the server's last word on it."""
    session = page.context.new_cdp_session(page)
    frames: list[tuple[float, str]] = []
    session.on("Network.webSocketFrameSent", lambda event: frames.append((event["timestamp"], "sent")))
    session.on("Network.webSocketFrameReceived", lambda event: frames.append((event["timestamp"], "received")))
    session.send("Network.enable")
    deadline = time.monotonic() + 60
    while sum(kind == "sent" for _, kind in frames) < count + 1 and time.monotonic() < deadline:
        page.wait_for_timeout(200)
    sent = [moment for moment, kind in frames if kind == "sent"]
    times = []
    for began, following in itertools.pairwise(sent):
        answers = [moment for moment, kind in frames if kind == "received" and began <= moment < following]
        if answers:
            times.append(answers[-1] - began)
    return times[:count]


def answer(page: Any, act: Callable[[], Any]) -> float:
    """Seconds from the browser's first word after `act()` to the server's last word on it."""
    session = page.context.new_cdp_session(page)
    frames: list[tuple[float, str]] = []
    session.on("Network.webSocketFrameSent", lambda event: frames.append((event["timestamp"], "sent")))
    session.on("Network.webSocketFrameReceived", lambda event: frames.append((event["timestamp"], "received")))
    session.send("Network.enable")
    act()
    page.wait_for_timeout(1500)  # shorter than what a page at rest waits before it looks around again
    session.detach()
    began = next(moment for moment, kind in frames if kind == "sent")
    following = next((moment for moment, kind in frames if kind == "sent" and moment > began + 0.02), float("inf"))
    return max(moment for moment, kind in frames if kind == "received" and moment < following) - began


def catalogue(page: Any, address: str) -> tuple[float, list[float]]:
    """Seconds of the catalogue's first drawing, the page's frame included, and of filters and orders after that."""
    first = answer(page, lambda: page.goto(address))
    page.get_by_text(re.compile(r"^All \d+$")).click()
    page.wait_for_timeout(1500)
    search = page.get_by_label("Search by name")
    times = []
    for text in ("resnet", "v2", "convnext", ""):
        search.fill(text)
        times.append(answer(page, lambda: search.press("Enter")))
    order = page.get_by_role("combobox", name=re.compile("Order"))
    for name in ("most accurate first", "quickest first", "smallest first"):
        order.click()
        times.append(answer(page, page.get_by_role("option", name=name).click))
    return first, times


def stop(process: subprocess.Popen[str]) -> None:
    """End the page server."""
    process.send_signal(signal.SIGINT)
    process.wait(20)


def main(arguments: list[str] | None = None) -> Report:
    """Measure, and keep the results."""
    report = Report("pages")
    chromium = find_chromium()
    if chromium is None:
        return report
    from playwright.sync_api import sync_playwright

    from transfer_core import preferences
    from transfer_core.data.scan import scan
    from transfer_core.runs import automatic, launch
    from transfer_core.runs.folder import create_run, read_state
    from transfer_core.training.settings import RunSettings

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        home = Path(folder) / "home"
        os.environ["TRANSFER_STUDIO_HOME"] = str(home)
        from transfer_core.data.sample_project import sample_project

        project = sample_project()
        scan(project)
        # It would train while something else is timed.
        preferences.change(**{automatic.PREFERENCE: False})
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        times = []
        for _attempt in range(5):
            seconds, process, port = first_page(browser, home)
            times.append(seconds)
            if _attempt < 4:
                stop(process)
        report.details["first page"] = times
        report.add("first page, from the command to the title on the screen", statistics.median(times), 2.5, unit="s")
        page = browser.new_page()
        first, filtered = catalogue(page, f"http://localhost:{port}/Backbone?project={project.folder.name}")
        report.details["catalogue"] = {"first": first, "filtered": filtered}
        report.add("the catalogue's first drawing, on a server just started", first, 0.5, unit="s")
        report.add("filter and order of the catalogue, median", statistics.median(filtered), 0.15, unit="s")
        quick = create_run(project, RunSettings())
        launch.start(quick)
        while not read_state(quick).ended:
            time.sleep(0.2)
        for name in ("", "Data", "Backbone", "Train", "Results", "Try", "Runs", "Settings"):
            page.goto(f"http://localhost:{port}/{name}?project={project.folder.name}&run={quick.id}")
            page.get_by_role("heading", level=1).wait_for()
            page.wait_for_timeout(1500)
        run = create_run(project, RunSettings(plan="custom", epochs=200, freeze="none"))
        launch.start(run)
        page.goto(f"http://localhost:{port}/Train?project={project.folder.name}&run={run.id}")
        while not read_state(run).history.epochs:
            page.wait_for_timeout(500)
        busy = psutil.cpu_percent(interval=1)
        found = ticks(page, TICKS)
        report.details["ticks"] = {"seconds": found, "processor busy, percent": busy}
        report.add("a tick of the live view while training holds the cores, median", statistics.median(found), 0.25, unit="s")
        server = server_process(home)
        memory = server.memory_info().rss / 2**20
        report.add("page server's memory after all pages", memory, 250, unit="MB")
        maps = Path(f"/proc/{server.pid}/maps")
        if maps.exists():
            report.add(
                "libraries of torch in the page server", sum("libtorch" in line for line in maps.read_text().splitlines()), 0
            )
        launch.stop(run)
        browser.close()
        stop(process)
    report.keep()
    return report


if __name__ == "__main__":
    main()

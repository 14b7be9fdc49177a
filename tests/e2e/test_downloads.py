"""Weights that are downloaded from the Backbone page: progress everywhere, cancelled, interrupted, refused, and here at last."""

from __future__ import annotations

import hashlib
import http.server
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from transfer_core.data.project import Project
from transfer_core.runs import jobs
from transfer_core.runs.process import read_worker

if TYPE_CHECKING:
    from tests.e2e.conftest import App, Visitor

pytestmark = pytest.mark.browser

NAME = "mobilenet_v3_large"
STEP = 1 << 16
# Weights made here can't have the hash that torchvision published: a job's process is told another name and hash for them.
PUBLISHED = """
import sys
if "transfer_core.runs.job_worker" in sys.orig_argv:
    from transfer_core.backbones import weights
    from transfer_core.backbones.published import Published
    weights.published = lambda info: Published(info.name, "https://example.org/{name}")
"""


class Mirror:
    """A server of one file, as slow as wanted."""

    def __init__(self, data: bytes):
        self.data = data
        self.pause = 0.0  # seconds after each piece
        mirror = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(mirror.data)))
                self.end_headers()
                try:
                    for start in range(0, len(mirror.data), STEP):
                        self.wfile.write(mirror.data[start : start + STEP])
                        time.sleep(mirror.pause)
                except OSError:
                    pass  # the other side has gone

            def log_message(self, *arguments: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A state dict as torchvision publishes them, of random numbers."""
    import torch
    from torchvision.models import mobilenet_v3_large

    file = tmp_path_factory.mktemp("weights") / "made.pth"
    torch.save(mobilenet_v3_large().state_dict(), file)
    return file.read_bytes()


@pytest.fixture
def mirror(weights: bytes, app: App, tmp_path: Path) -> Iterator[Mirror]:
    """The app, started anew with a server of ours in place of torchvision's."""
    mirror = Mirror(weights)
    name = f"{NAME}-{hashlib.sha256(weights).hexdigest()[:8]}.pth"
    (tmp_path / "sitecustomize.py").write_text(PUBLISHED.format(name=name))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]))
        patch.setenv("TRANSFER_STUDIO_WEIGHTS_MIRROR", mirror.address)
        patch.setenv("no_proxy", "*")
        app.stop()
        app.start()
        yield mirror
        app.stop()
    for job in jobs.active_jobs():
        worker = read_worker(job.folder)
        if worker:
            psutil.Process(worker.pid).kill()
    mirror.server.shutdown()
    app.start()


def download(visitor: Visitor, name: str = NAME) -> Any:
    """The button that begins the download of a backbone's weights."""
    return visitor.page.locator(f".st-key-download-{name}").get_by_role("button")


def of_the_backbone() -> list[jobs.Job]:
    """The jobs that fetch its weights."""
    return [job for job in jobs.list_jobs() if job.arguments == {"backbone": NAME}]


def test_a_download_from_its_button_to_its_end(
    visitor: Visitor, visit: Callable[..., Visitor], app: App, sample: Project, mirror: Mirror, eventually: Callable[..., Any]
) -> None:
    mirror.pause = 0.1
    other = visit(width=390)
    for window in (visitor, other):
        window.open("Backbone", project=sample.folder.name)
    download(visitor).click()
    for window in (visitor, other):  # the other browser sees it by itself
        window.page.get_by_text("a second").first.wait_for()
    other.open("Data", project=sample.folder.name)  # nothing waits for it
    other.page.get_by_test_id("stSidebar").get_by_text(NAME).wait_for()
    assert not other.has_horizontal_scrolling()

    app.stop()
    app.start()
    visitor.page.reload()
    before = visitor.page.get_by_role("progressbar").first.get_attribute("aria-valuenow")
    eventually(lambda: visitor.page.get_by_role("progressbar").first.get_attribute("aria-valuenow") != before)
    assert len(of_the_backbone()) == 1

    visitor.button("Cancel").click()
    download(visitor).wait_for()
    assert visitor.page.get_by_text("Its weights are here").count() == 1  # the starter's

    mirror.pause = 0.0
    download(visitor).click()
    eventually(lambda: visitor.page.get_by_text("Its weights are here").count() == 2, 60)
    assert len(of_the_backbone()) == 1, "begun again, it is the same job"


def test_what_goes_wrong_is_said_with_what_to_do(
    visitor: Visitor, sample: Project, mirror: Mirror, eventually: Callable[..., Any]
) -> None:
    mirror.pause = 0.2
    visitor.open("Backbone", project=sample.folder.name)
    visitor.page.get_by_text(re.compile(r"^All \d+$")).click()
    visitor.page.get_by_label("Search by name").fill("squeezenet1_1")
    visitor.page.get_by_label("Search by name").press("Enter")
    eventually(lambda: visitor.page.get_by_role("button", name="Choose").count() == 1)
    visitor.settle()
    download(visitor, "squeezenet1_1").click()
    job = eventually(lambda: next((job for job in jobs.active_jobs() if job.arguments == {"backbone": "squeezenet1_1"}), None))
    visitor.page.get_by_text("a second").first.wait_for()
    worker = read_worker(job.folder)
    assert worker
    psutil.Process(worker.pid).kill()
    visitor.page.get_by_text("This was interrupted").wait_for()
    mirror.pause = 0.0
    visitor.button("Try again").click()  # the weights are those of another network
    eventually(lambda: jobs.read_state(job).status == "failed", 60)
    state = jobs.read_state(job)
    assert state.error and state.error.code == "weights-mismatch"
    visitor.page.get_by_role("alert").get_by_text(state.error.message.split("{")[0][:30]).wait_for()
    visitor.button("Try again").wait_for()

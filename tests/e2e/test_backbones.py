"""The Backbone page in a browser: pictures that choose, seen from two windows, and a file that is brought."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pages.ui import drafts
from transfer_core.backbones.weights import kept_weights, remove
from transfer_core.data.project import Project
from transfer_core.runs import jobs

if TYPE_CHECKING:
    from tests.e2e.conftest import App, Visitor

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def own_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state dict of a small network, of random numbers, with a head for other classes than ImageNet's."""
    import torch
    from torchvision.models import squeezenet1_1

    torch.manual_seed(0)
    file = tmp_path_factory.mktemp("weights") / "my squeezenet.pth"
    torch.save(squeezenet1_1(num_classes=7).state_dict(), file)
    return file


def bring(visitor: Visitor, file: Path) -> None:
    """Have a file looked at."""
    field = visitor.page.get_by_label("File on this computer")
    if not field.is_visible():
        visitor.page.get_by_text("Use a file with weights of your own").click()
    field.fill(str(file))
    # A button that is pressed while the page is being drawn for what was typed may be gone before the press arrives.
    field.press("Enter")
    visitor.settle()
    visitor.button("Look at this file").click()


def test_a_file_is_brought_and_used(visitor: Visitor, sample: Project, own_file: Path, tmp_path: Path) -> None:
    visitor.open("Backbone", project=sample.folder.name)
    bring(visitor, own_file)
    visitor.button("Use this file").wait_for()
    assert "It fits SqueezeNet1 1." in visitor.text() and "classifier.1.weight" in visitor.text()
    visitor.page.reload()
    visitor.button("Use this file").click()
    visitor.page.get_by_text("With the weights in this file of yours").wait_for()
    assert drafts.read(sample).weights == str(own_file)

    broken = tmp_path / "broken.pth"
    broken.write_bytes(own_file.read_bytes()[:5000])
    bring(visitor, broken)
    visitor.page.get_by_role("alert").get_by_text("broken.pth").wait_for()
    assert visitor.button("Use this file").count() == 0


def test_pictures_choose(
    visitor: Visitor,
    visit: Callable[..., Visitor],
    app: App,
    sample: Project,
    own_file: Path,
    eventually: Callable[..., Any],
) -> None:
    from transfer_core.backbones.weights import adopt

    kept = adopt("squeezenet1_1", own_file)
    other = visit(width=390)
    try:
        for window in (visitor, other):
            window.open("Backbone", project=sample.folder.name)
        visitor.button("Compare on my pictures").click()
        for window in (visitor, other):  # the other one sees it by itself
            window.page.get_by_text("It is worked out for the best three").wait_for(timeout=90_000)
        assert len([job for job in jobs.list_jobs(sample.folder) if job.kind == "choose"]) == 1
        assert not other.has_horizontal_scrolling()
        report = jobs.list_jobs(sample.folder)[0].report()
        assert report and len(report["rows"]) == 2

        app.stop()
        app.start()
        other.open("Backbone", project=sample.folder.name)
        label = next(row["label"] for row in report["rows"] if row["backbone"] == "squeezenet1_1")
        other.button(f"Use {label}").click()
        eventually(lambda: drafts.read(sample).weights == str(kept.file))
        other.page.get_by_text("From your file: my squeezenet.pth").wait_for()
        assert {each.backbone for each in kept_weights()} == {"starter", "squeezenet1_1"}
    finally:
        remove(kept)


def test_a_choice_is_stopped(visitor: Visitor, sample: Project, own_file: Path, eventually: Callable[..., Any]) -> None:
    import shutil

    from transfer_core.backbones.weights import adopt

    shutil.rmtree(sample.cache / "features", ignore_errors=True)
    (sample.cache / "choice.json").unlink(missing_ok=True)
    kept = adopt("squeezenet1_1", own_file)
    try:
        visitor.open("Backbone", project=sample.folder.name)
        visitor.page.get_by_role("button", name="Compare").click()
        visitor.button("Stop").click()
        job = eventually(lambda: next(job for job in jobs.list_jobs(sample.folder) if job.kind == "choose"))
        eventually(lambda: jobs.read_state(job).ended)
        visitor.page.get_by_role("button", name="Compare again").wait_for()
    finally:
        remove(kept)

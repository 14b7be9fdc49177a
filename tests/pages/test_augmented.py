"""What training is shown of the pictures: its words, the way to examples, and the examples."""

from __future__ import annotations

import time

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui import augmented
from transfer_core.data.project import Project
from transfer_core.data.scan import scan
from transfer_core.images.augmentation import NONE, PRESETS, Augmentation
from transfer_core.runs import jobs
from transfer_core.runs.jobs import Job


def script(folder: str, values: dict[str, float | bool]) -> None:
    from pathlib import Path

    from pages.ui import augmented
    from transfer_core.data.project import Project
    from transfer_core.images.augmentation import Augmentation

    augmented.draw(Project.open(Path(folder)), Augmentation.from_data(values))


def page(project: Project, augmentation: Augmentation) -> AppTest:
    shown = {"folder": str(project.folder), "values": augmentation.as_data()}
    return AppTest.from_function(script, kwargs=shown, default_timeout=30).run()


def finished(project: Project) -> Job:
    """The newest job, once it has come to its end."""
    job, deadline = jobs.list_jobs(project.folder)[0], time.monotonic() + 60
    while (state := jobs.read_state(job)).status in ("queued", "starting", "running"):
        assert time.monotonic() < deadline, job.log_file.read_text()
        time.sleep(0.1)
    assert state.status in ("finished", "failed"), state
    return job


def markup(shown: AppTest) -> str:
    return "\n".join(element.proto.body for element in shown.get("html"))


def test_examples_are_drawn_when_somebody_asks(project: Project) -> None:
    """Nothing begins by itself; what was drawn stands there for everybody who looks, and others are others."""
    strong = PRESETS["strong"]
    shown = page(project, strong)
    assert not shown.exception and "Mirrored half of the time" in shown.caption[0].value
    assert not jobs.list_jobs(project.folder) and not markup(shown)
    shown.button(key="examples-begin").click().run()
    assert not shown.exception and not shown.error
    first = finished(project)
    assert (first.kind, first.arguments["seed"]) == ("preview", 0)
    shown = page(project, strong)
    before = markup(shown)
    assert before.count("data:image/jpeg;base64,") == 4 * 6 and "As it is" in before
    assert shown.button(key="examples-begin").label == "Show others"
    shown.button(key="examples-begin").click().run()
    assert finished(project).arguments["seed"] == 1
    after = markup(page(project, strong))
    assert after.count("data:image/jpeg;base64,") == 4 * 6 and after != before
    other = page(project, PRESETS["document"])
    assert not markup(other) and other.button(key="examples-begin").label == "Show examples"


def test_where_nothing_is_done_there_is_nothing_to_show(project: Project) -> None:
    shown = page(project, NONE)
    assert [caption.value for caption in shown.caption] == ["Every picture is shown as it is\\."]
    assert not shown.button


def test_the_names_of_classes_are_data(project: Project) -> None:
    """A picture that went meanwhile leaves a field that says so."""
    (project.folder / "there.jpg").write_bytes(b"picture")
    made = augmented._grid(project.folder, [{"label": '"><script>', "files": ["there.jpg", "gone.jpg"]}])
    assert "<script>" not in made and made.count("<img") == 1 and "can&#x27;t be read" in made


def test_what_went_wrong_is_said(project: Project) -> None:
    """A sentence, and the button to try again."""
    for sample in project.table.samples():
        sample.path.unlink()
    scan(project)
    shown = page(project, PRESETS["gentle"])
    shown.button(key="examples-begin").click().run()
    assert jobs.read_state(finished(project)).status == "failed"
    shown = page(project, PRESETS["gentle"])
    assert len(shown.error) == 1 and "no pictures to learn from" in shown.error[0].value
    assert shown.button(key="examples-begin").label == "Show examples"


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_said_in_words(project: Project, name: str) -> None:
    assert not page(project, PRESETS[name]).exception

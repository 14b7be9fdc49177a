"""The search for a learning rate on the Train page: begun, shown, taken, and not shown for other settings or pictures."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui import drafts, rate
from pages.ui.setting_fields import setting_key
from transfer_core.data.edits import Edits
from transfer_core.data.project import Project
from transfer_core.files import write_json
from transfer_core.runs import jobs
from transfer_core.runs.events import EventWriter
from transfer_core.runs.jobs import Job
from transfer_core.training.rate_curve import RateCurve, curve_of, looked_for, rate_at
from transfer_core.training.settings import RunSettings

OpenPage = Callable[..., AppTest]
RATES = [rate_at(step, 40) for step in range(40)]
LOSSES = [1.0] * 20 + [1 - 0.05 * step for step in range(15)] + [0.5, 0.9, 2.0, 5.0, 9.0]
CURVE = curve_of(RATES, LOSSES, 40)


def found(project: Project, curve: RateCurve = CURVE, **changes: Any) -> Job:
    """A search for the draft's settings that came to its end."""
    settings = drafts.change(project, plan="custom", **changes)
    job = jobs.create_job(rate.KIND, {"project": str(project.folder), "settings": looked_for(settings)}, project.folder)
    write_json(job.folder / "report.json", curve.as_data() | {"fingerprint": project.table.fingerprint()})
    with EventWriter(job.folder / "events.jsonl") as events:
        events.write("run_started")
        events.write("run_finished")
    return job


def keys(page: AppTest) -> set[str]:
    return {str(button.key) for button in page.button}


def charts(page: AppTest) -> list[Any]:
    return list(page.get("plotly_chart"))


def test_what_was_found_is_drawn_and_can_be_taken(project: Project, open_page: OpenPage) -> None:
    found(project)
    page = open_page("Train", project=project.folder.name)
    assert not page.exception and len(charts(page)) == 1
    assert any(RateCurve.from_data(CURVE.as_data()).verdict[:20] in text.value for text in page.markdown)
    assert CURVE.suggestion is not None
    page = page.button(key=f"rate-take-{CURVE.suggestion:g}").click().run()
    assert not page.exception and drafts.read(project).learning_rate == CURVE.suggestion
    assert page.number_input(key=setting_key(project, "learning_rate") + " 1").value == CURVE.suggestion
    # Taking it makes nothing old, and it is said to be taken.
    assert len(charts(page)) == 1 and f"rate-take-{CURVE.suggestion:g}" not in keys(page)
    assert any(f"{CURVE.suggestion:g} is set" in text.value for text in page.markdown)


@pytest.mark.parametrize("change", [{"batch_size": 8}, {"freeze": "all"}, {"optimiser": "sgd"}])
def test_a_curve_of_other_settings_is_not_shown(project: Project, open_page: OpenPage, change: dict[str, Any]) -> None:
    found(project)
    drafts.change(project, **change)
    page = open_page("Train", project=project.folder.name)
    assert not charts(page) and not any(key.startswith("rate-take") for key in keys(page))
    assert any("changed since a learning rate" in caption.value for caption in page.caption)
    drafts.change(project, **RunSettings().model_dump(include=set(change)))
    assert len(charts(page.run())) == 1


def test_a_curve_of_other_pictures_is_not_shown(project: Project, open_page: OpenPage) -> None:
    found(project)
    Edits(project).exclude([project.table.samples()[0].id])
    page = open_page("Train", project=project.folder.name)
    assert not charts(page) and any("changed since a learning rate" in caption.value for caption in page.caption)


def test_where_the_loss_never_fell_nothing_can_be_taken(project: Project, open_page: OpenPage) -> None:
    found(project, curve_of(RATES, [1.0 + step for step in range(40)], 40))
    page = open_page("Train", project=project.folder.name)
    assert not page.exception and len(charts(page)) == 1
    assert not any(key.startswith("rate-take") for key in keys(page))


def test_with_conflicts_no_search_is_begun(project: Project, open_page: OpenPage) -> None:
    drafts.change(project, plan="custom", steps=5, minutes=1)
    assert open_page("Train", project=project.folder.name).button(key="rate-begin").disabled
    drafts.change(project, plan="quick")
    assert "rate-begin" not in keys(open_page("Train", project=project.folder.name))


def test_a_press_searches(project: Project, open_page: OpenPage) -> None:
    """In a process of its own, for the settings as they are; a second press while it is at work would be the same search."""
    drafts.change(project, plan="custom", freeze="all", batch_size=4, image_size=64)
    page = open_page("Train", project=project.folder.name)
    page = page.button(key="rate-begin").click().run()
    assert not page.exception and not page.error
    (job,) = jobs.list_jobs(project.folder)
    assert job.arguments["settings"] == looked_for(drafts.read(project))
    assert "rate-begin" not in keys(page) and "stop-rate" in keys(page)
    deadline = time.monotonic() + 120
    while jobs.read_state(job).status in ("queued", "starting", "running"):
        assert time.monotonic() < deadline, job.log_file.read_text()
        time.sleep(0.2)
    assert jobs.read_state(job).status == "finished", job.log_file.read_text()
    assert RateCurve.from_data(job.report() or {}).rates
    assert len(charts(page.run())) == 1

"""The draft of a training's settings: its form, what is kept of it, and the command that says the same."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui import command, drafts, form
from transfer_core.data.project import Project
from transfer_core.training.settings import RunSettings

CUSTOM = {"plan": "custom", "freeze": "none", "epochs": 7, "learning_rate": 0.02, "batch_size": 8, "augment": False, "seed": 3}


def test_a_draft_is_kept_and_damage_is_overlooked(project: Project) -> None:
    assert drafts.read(project) == RunSettings()
    drafts.change(project, **CUSTOM)
    assert drafts.read(Project.open(project.folder)).model_dump() == RunSettings(**CUSTOM).model_dump()
    file = project.folder / drafts.FILE
    file.write_text(json.dumps({"plan": "custom", "epochs": -1, "of_a_newer_version": True}), encoding="utf-8")
    assert drafts.read(project) == RunSettings(plan="custom")
    for damage in ("", "[1]", '"text"', "{"):
        file.write_text(damage, encoding="utf-8")
        assert drafts.read(project) == RunSettings()


@pytest.mark.parametrize(
    "settings", [{}, CUSTOM, {"backbone": "resnet18", "weights": "/a b/it's.pth", "threads": 2, "device": "cpu"}]
)
def test_the_command_asks_for_the_same_settings(project: Project, settings: dict[str, object]) -> None:
    """What the page shows is what `train` understands."""
    from transfer_core.cli.parser import build_parser
    from transfer_core.cli.train import settings_of

    wanted = RunSettings(**settings)  # type: ignore[arg-type]
    words = shlex.split(command.train(project, wanted))
    assert words[:3] == ["transfer-studio", "train", str(project.folder)]
    options = build_parser().parse_args(words[1:])
    assert settings_of(options) == wanted


def test_every_setting_has_a_name_and_an_explanation(project: Project, open_page: Callable[..., AppTest]) -> None:
    drafts.change(project, plan="custom", head="mlp", freeze=3)
    page = open_page("Train", project=project.folder.name)
    assert not page.exception
    assert set(form.labels()) == set(RunSettings.model_fields)
    captions = {caption.value for caption in page.caption}
    shown = [name for name in RunSettings.model_fields if name not in form.ELSEWHERE | form.FINE]
    for name in shown:
        assert RunSettings.model_fields[name].description in captions
    assert page.number_input(key=form._key(project, "epochs")).min == 1
    assert page.number_input(key=form._key(project, "epochs")).max == 1000


def test_settings_of_another_plan_are_not_shown(project: Project, open_page: Callable[..., AppTest]) -> None:
    page = open_page("Train", project=project.folder.name)
    assert not page.number_input
    assert form.summary(RunSettings()) == []
    assert len(form.summary(RunSettings(plan="custom"))) == 6
    assert len(form.summary(RunSettings(plan="custom", head="mlp"))) == 8


def test_a_change_in_the_form_is_on_disk_at_once(project: Project, open_page: Callable[..., AppTest]) -> None:
    drafts.change(project, plan="custom")
    page = open_page("Train", project=project.folder.name)
    page.number_input(key=form._key(project, "epochs")).set_value(3).run()
    assert drafts.read(project).epochs == 3
    # Another tab changed it meanwhile: the next drawing shows that.
    drafts.change(project, epochs=9)
    assert page.run().number_input(key=form._key(project, "epochs")).value == 9

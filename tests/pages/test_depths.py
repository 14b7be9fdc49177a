"""The freeze picker on the Train page, and what a head is said to cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui import depths, drafts
from pages.ui.setting_fields import setting_key
from tests.pages.test_pages import said
from transfer_core.advice.depths import Amount
from transfer_core.backbones import catalogue
from transfer_core.data.project import Project
from transfer_core.models.head_cost import head_cost
from transfer_core.training.settings import RunSettings

OpenPage = Callable[..., AppTest]


def picker(page: AppTest, project: Project) -> Any:
    return next(slider for slider in page.select_slider if str(slider.key).startswith(setting_key(project, "freeze")))


def test_the_picker_shows_every_depth_and_keeps_the_choice(project: Project, open_page: OpenPage) -> None:
    drafts.change(project, plan="custom", backbone="mobilenet_v2")
    page = open_page("Train", project=project.folder.name)
    assert not page.exception and not page.error
    assert picker(page, project).value == "last-stage"
    assert len(picker(page, project).options) == 9
    told = said(page)
    assert "7 of 8 stages stay frozen" in told and "7 stages" in told
    assert "Usually wise: All of the backbone" in told and 'class="ts-note">wise' in told
    page = picker(page, project).set_value(3).run()
    assert drafts.read(project).freeze == 3
    assert "3 of 8 stages stay frozen" in said(page)
    picker(page, project).set_value("none").run()
    assert drafts.read(project).freeze == "none"


def test_the_wise_depth_is_one_press_away(project: Project, open_page: OpenPage) -> None:
    drafts.change(project, plan="custom")
    page = open_page("Train", project=project.folder.name)
    page = page.button(key="wise-depth").click().run()
    assert drafts.read(project).freeze == "all"
    assert picker(page, project).value == "all"
    assert not [button for button in page.button if button.key == "wise-depth"]


def test_a_number_that_has_a_word_is_shown_by_the_word(project: Project, open_page: OpenPage) -> None:
    drafts.change(project, plan="custom", backbone="resnet18", freeze=4)
    page = open_page("Train", project=project.folder.name)
    assert picker(page, project).value == "last-stage" and not page.warning
    assert drafts.read(project).freeze == 4


def test_a_backbone_with_fewer_stages_than_were_chosen(project: Project, open_page: OpenPage) -> None:
    """It is said, and stays said until something else is chosen; nothing breaks on the way."""
    drafts.change(project, plan="custom", backbone="mobilenet_v2", freeze=7)
    drafts.change(project, backbone="resnet18")
    page = open_page("Train", project=project.folder.name)
    assert not page.exception
    assert "5 stages" in page.warning[0].value and "last stage" in page.warning[0].value
    assert drafts.read(project).freeze == "last-stage" and picker(page, project).value == "last-stage"
    page = page.run()
    assert len(page.warning) == 1
    assert not picker(page, project).set_value(2).run().warning


def test_other_conflicts_leave_the_depth_alone(project: Project, open_page: OpenPage) -> None:
    """They are said with the others, and the chosen depth stays."""
    drafts.change(project, plan="custom", backbone="mobilenet_v2", freeze=3, steps=10, minutes=1)
    page = open_page("Train", project=project.folder.name)
    assert not page.exception and not page.warning and len(page.error) == 1
    assert drafts.read(project).freeze == 3


def test_a_backbone_whose_stages_are_not_known(project: Project, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> None:
    infos = dict(catalogue._read())
    infos["resnet18"] = replace(infos["resnet18"], stages=())
    monkeypatch.setattr(catalogue, "_read", lambda: infos)
    drafts.change(project, plan="custom", backbone="resnet18")
    page = open_page("Train", project=project.folder.name)
    assert not page.exception
    assert picker(page, project).options == ["Nothing", "All but its last stage", "All of the backbone"]
    picker(page, project).set_value("all").run()
    assert drafts.read(project).freeze == "all"


def test_a_backbone_that_the_catalogue_lacks_has_a_plain_choice(project: Project, open_page: OpenPage) -> None:
    drafts.change(project, plan="custom", backbone="of another version")
    page = open_page("Train", project=project.folder.name)
    assert not page.exception and not page.select_slider
    assert page.selectbox(key=setting_key(project, "freeze")).value == "last-stage"


@pytest.mark.parametrize("head", ["linear", "logistic", "mlp", "cosine", "prototype"])
def test_a_head_says_what_it_costs(head: str, project: Project, open_page: OpenPage) -> None:
    drafts.change(project, plan="custom", head=head)
    page = open_page("Train", project=project.folder.name)
    count = head_cost(head, 576, 3, (256,)).parameters
    assert any(f"{count:,}" in caption.value for caption in page.caption)
    options = page.selectbox(key=setting_key(project, "head")).options
    assert options[0].endswith("· 1,731") and options[2].endswith("· 148 k")


def test_what_is_counted_are_the_pictures_in_use(project: Project) -> None:
    counts = project.table.classes()
    task = depths.task_of(project, RunSettings(backbone="resnet18"))
    assert task and task.info.name == "resnet18"
    assert task.amount == Amount(sum(each.train for each in counts), sum(each.val for each in counts), 3)


def test_on_a_graphics_card_no_time_is_made_up(project: Project, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> None:
    from transfer_core.advice.computer import Gpu

    computer = replace(depths.hardware.look(), gpus=[Gpu("A card", 8 * 10**9)])
    monkeypatch.setattr(depths.hardware, "look", lambda: computer)
    drafts.change(project, plan="custom")
    assert "is not predicted" in said(open_page("Train", project=project.folder.name))
    drafts.change(project, device="cpu")
    assert "rough estimate" in said(open_page("Train", project=project.folder.name))

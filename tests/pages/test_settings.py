"""The draft of a training's settings: its form, what is kept of it, and the command that says the same."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from typing import get_args

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui import command, drafts, form, setting_words
from pages.ui.setting_fields import setting_key
from transfer_core.data.project import Project
from transfer_core.training.setting_facts import facts, group_title
from transfer_core.training.settings import Group, RunSettings

OpenPage = Callable[..., AppTest]
CUSTOM = {
    "plan": "custom",
    "freeze": "none",
    "epochs": 7,
    "learning_rate": 0.02,
    "batch_size": 8,
    "augmentation": "none",
    "seed": 3,
}


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

    wanted = RunSettings(**settings)
    words = shlex.split(command.train(project, wanted))
    assert words[:3] == ["transfer-studio", "train", str(project.folder)]
    options = build_parser().parse_args(words[1:])
    assert settings_of(options) == wanted


def open_all(page: AppTest, project: Project) -> AppTest:
    """The page with every group of the form unfolded."""
    for group in form.FOLDED:
        page.session_state[setting_key(project, f"group {group}")] = True
    return page.run()


def test_every_setting_has_a_name_and_an_explanation(project: Project, open_page: OpenPage) -> None:
    drafts.change(project, plan="custom", head="mlp", freeze=3)
    page = open_all(open_page("Train", project=project.folder.name), project)
    assert not page.exception
    assert set(setting_words.labels()) == set(RunSettings.model_fields)
    captions = {caption.value for caption in page.caption}
    for name in set(RunSettings.model_fields) - setting_words.ELSEWHERE:
        assert RunSettings.model_fields[name].description in captions
    assert page.number_input(key=setting_key(project, "epochs")).min == 1
    assert page.number_input(key=setting_key(project, "epochs")).max == 1000


def test_every_value_has_a_name() -> None:
    """Nobody has to know what a word of the file means."""
    for name in set(RunSettings.model_fields) - setting_words.ELSEWHERE | {"plan"}:
        for value in facts(name).words:
            assert setting_words.choice(name, value) != value, f"{name}={value} has no name"


def test_what_most_people_touch_is_open(project: Project, open_page: OpenPage) -> None:
    """The sections stand in the order of the groups; what is folded says what of it differs from the defaults."""
    drafts.change(project, plan="custom", mixup=0.2, mirror=False)
    page = open_page("Train", project=project.folder.name)
    groups = [group for group in get_args(Group) if group not in form.FOLDED and group != "plan"]
    assert [each.value for each in page.subheader] == [group_title(group) for group in groups]
    shown = {widget.key for kind in (page.number_input, page.selectbox, page.select_slider) for widget in kind}
    assert {setting_key(project, name) for name in ("freeze", "head", "learning_rate", "epochs", "augmentation")} <= shown
    assert setting_key(project, "mixup") not in shown
    captions = [caption.value for caption in page.caption]
    assert "Blend pictures (mixup): 0\\.2" in captions and "Mirror: no" in captions


def test_settings_of_another_plan_are_not_shown(project: Project, open_page: OpenPage) -> None:
    page = open_page("Train", project=project.folder.name)
    assert not page.number_input
    assert setting_words.summary(RunSettings()) == []
    assert setting_words.summary(RunSettings(mixup=0.3)) == []


def test_the_summary_tells_what_differs() -> None:
    """The main settings of a training by hand, and else only what is not as by default."""
    names = [line.partition(":")[0] for line in setting_words.summary(RunSettings(plan="custom"))]
    assert names == [setting_words.label(name) for name in setting_words.ALWAYS]
    more = setting_words.summary(RunSettings(plan="custom", head="mlp", mixup=0.25, upside_down=True, threads=3))
    assert set(more) - set(setting_words.summary(RunSettings(plan="custom", head="mlp"))) == {
        "Blend pictures (mixup): 0\\.25",
        "Upside down: yes",
        "Processor cores: 3",
    }


def test_a_switch_may_be_left_to_the_preset(project: Project, open_page: OpenPage) -> None:
    """Empty means as the preset has it, and the field says how that is."""
    drafts.change(project, plan="custom", augmentation="strong")
    page = open_all(open_page("Train", project=project.folder.name), project)
    turn, mirror = page.number_input(key=setting_key(project, "rotate")), page.selectbox(key=setting_key(project, "mirror"))
    assert turn.value is None and turn.proto.placeholder == "As above: 15"
    assert mirror.value == "inherit" and mirror.options == ["As above: yes", "yes", "no"]
    page = turn.set_value(90.0).run()
    page = page.selectbox(key=setting_key(project, "mirror")).set_value("no").run()
    kept = drafts.read(project)
    assert (kept.rotate, kept.mirror, kept.varied.rotate, kept.varied.mirror) == (90, False, 90, False)
    page = page.number_input(key=setting_key(project, "rotate")).set_value(None).run()
    page.selectbox(key=setting_key(project, "mirror")).set_value("inherit").run()
    assert drafts.read(project) == RunSettings(plan="custom", augmentation="strong")


def test_all_conflicts_are_told_at_once(project: Project, open_page: OpenPage) -> None:
    """Above the button, which waits until they are gone, and at each field; settings are called as the page calls them."""
    drafts.change(project, plan="custom", freeze="all", unfreeze_every=2, steps=10, minutes=1, image_size=100)
    page = open_page("Train", project=project.folder.name)
    assert not page.exception and page.button(key="start").disabled
    told = page.error[0].value
    assert len(page.error) == 1 and told.count("\n* ") == 3
    for name in ("unfreeze_every", "minutes", "image_size"):
        assert f"**{setting_words.label(name)}**" in told and name.replace("_", "\\_") not in told.replace("minutes", "")
    assert sum(caption.value.startswith(":red[") for caption in page.caption) == 3
    drafts.change(project, unfreeze_every=0, steps=0, image_size=0)
    page = page.run()
    assert not page.error and not page.button(key="start").disabled


def test_settings_at_their_limits_can_be_drawn(project: Project, open_page: OpenPage) -> None:
    """Whatever the file or a search found, the page shows it."""
    least = {"learning_rate": 1e-9, "layer_decay": 1e-3, "warm_up": 0.0, "average": 0.999995, "batch_size": 0, "minutes": 0.5}
    drafts.change(project, plan="custom", **least)
    page = open_all(open_page("Train", project=project.folder.name), project)
    assert not page.exception and not page.error
    assert page.number_input(key=setting_key(project, "learning_rate")).value == 1e-9
    assert drafts.read(project) == RunSettings(plan="custom", **least)


def test_a_change_in_the_form_is_on_disk_at_once(project: Project, open_page: OpenPage) -> None:
    drafts.change(project, plan="custom")
    page = open_page("Train", project=project.folder.name)
    page.number_input(key=setting_key(project, "epochs")).set_value(3).run()
    assert drafts.read(project).epochs == 3
    # Another tab changed it meanwhile: the next drawing shows that.
    drafts.change(project, epochs=9)
    assert page.run().number_input(key=setting_key(project, "epochs") + " 1").value == 9

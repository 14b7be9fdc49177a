from __future__ import annotations

import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from transfer_core.errors import SettingsError
from transfer_core.images.augmentation import PRESETS, RANGES, Augmentation
from transfer_core.training.settings import RunSettings, fields_of


def test_settings_come_back_from_their_file(tmp_path: Path) -> None:
    """config.toml repeats the run, whatever was set, and each setting explains itself in a comment."""
    settings = RunSettings(
        plan="custom",
        backbone="resnet18",
        weights='C:\\w "x".pth',
        freeze="none",
        epochs=3,
        learning_rate=3e-5,
        batch_size=7,
        augmentation="medical",
        mirror=False,
        rotate=12.5,
        device="cpu",
        threads=2,
        seed=2**31 - 1,
    )
    file = tmp_path / "config.toml"
    settings.write(file)
    assert RunSettings.read(file) == settings
    lines = file.read_text(encoding="utf-8").splitlines()
    for name, field in RunSettings.model_fields.items():
        if getattr(settings, name) is None:
            continue
        place = next(number for number, line in enumerate(lines) if line.startswith(f"{name} = "))
        assert lines[place - 1] == f"# {field.description}"
    RunSettings().write(file)
    assert RunSettings.read(file) == RunSettings()
    assert "weights" not in tomllib.loads(file.read_text(encoding="utf-8"))


def test_every_setting_is_described() -> None:
    """The form, the file and the docs are drawn from these descriptions."""
    for name, field in RunSettings.model_fields.items():
        assert field.description and field.description.endswith("."), name
        assert "\n" not in field.description


def test_all_problems_are_told_at_once() -> None:
    """One answer names every field that is wrong, with what was given, and what the settings are called."""
    with pytest.raises(SettingsError) as caught:
        RunSettings.check({"epochs": 0, "learning_rate": "fast", "plan": "magic", "batch_size": 1.5, "epoch": 3, "seed": -1})
    message = caught.value.message
    for name in ("epochs", "learning_rate", "plan", "batch_size", "epoch:", "seed"):
        assert name in message
    assert "'fast'" in message and "'magic'" in message
    assert "learning_rate" in (caught.value.fix or "")


@pytest.mark.parametrize(
    "values",
    [
        {"epochs": 0},
        {"epochs": 1001},
        {"learning_rate": 0},
        {"learning_rate": 10.5},
        {"learning_rate": float("nan")},
        {"learning_rate": float("inf")},
        {"batch_size": -1},
        {"average": 1},
        {"rotate": 181},
        {"threads": -1},
        {"seed": 2**31},
        {"device": "tpu"},
        {"freeze": "some"},
        {"backbone": "x" * 101},
        {"unknown": 1},
    ],
)
def test_out_of_range(values: dict[str, object]) -> None:
    """Each limit holds, also against numbers that compare like none."""
    with pytest.raises(SettingsError):
        RunSettings.check(values)


def test_texts_from_the_command_line_are_understood() -> None:
    """`--set key=value` hands over text."""
    settings = RunSettings.check({"epochs": "7", "learning_rate": "1e-4", "mirror": "false", "seed": "3"})
    assert (settings.epochs, settings.learning_rate, settings.mirror, settings.seed) == (7, 1e-4, False, 3)


@pytest.mark.parametrize(("given", "augmentation"), [(True, "gentle"), (False, "none"), ("false", "none"), ("true", "gentle")])
def test_files_of_earlier_versions_are_read(given: object, augmentation: str) -> None:
    """`augment` said only whether pictures are varied."""
    assert RunSettings.check({"augment": given}).augmentation == augmentation


def test_switches_go_over_the_preset() -> None:
    """What is set singly holds, the rest is the preset's; nothing set is the preset."""
    assert RunSettings(augmentation="medical").varied == PRESETS["medical"]
    varied = RunSettings(augmentation="medical", mirror=False, rotate=20).varied
    assert (varied.mirror, varied.rotate, varied.light) == (False, 20, PRESETS["medical"].light)


def test_every_switch_is_a_setting() -> None:
    """Whatever an augmentation can do can be set by hand, within the same limits."""
    assert {field.name for field in fields(Augmentation)} == set(fields_of("switches"))
    for name, (least, most) in RANGES.items():
        for value in (least, most):
            assert getattr(RunSettings.check({name: value}), name) == value
        with pytest.raises(SettingsError):
            RunSettings.check({name: most + 1})


@pytest.mark.parametrize("content", [None, b"epochs = ", b"\xff\xfe", b"epochs = 'many'", b"[section]\nx = 1"])
def test_a_file_that_does_not_fit_is_a_sentence(tmp_path: Path, content: bytes | None) -> None:
    """A missing, broken or wrong file names itself or the field."""
    file = tmp_path / "config.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError, match=r"config\.toml|epochs|section"):
        RunSettings.read(file)


def test_needs_name_settings_that_are_there() -> None:
    """What a setting depends on is a setting, and one of its values."""
    for name, field in RunSettings.model_fields.items():
        extra = field.json_schema_extra
        if isinstance(extra, dict) and isinstance(extra.get("needs"), dict):
            for other, value in extra["needs"].items():
                assert RunSettings.check({other: value}), name


def test_settings_stay_checked() -> None:
    """Changing one afterwards is checked as well."""
    settings = RunSettings()
    with pytest.raises(ValueError, match="epochs"):
        settings.epochs = 0

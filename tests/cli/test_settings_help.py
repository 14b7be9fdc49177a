"""`train --help` tells every setting that `--set` takes."""

from __future__ import annotations

import argparse
import subprocess
import sys

import pytest

from transfer_core.cli.parser import build_parser
from transfer_core.cli.settings_help import settings_help
from transfer_core.cli.train import settings_of
from transfer_core.training.settings import RunSettings


def lines_of(name: str) -> tuple[str, str]:
    """What may be written, and what is said of it."""
    lines = settings_help().splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith(f"  {name}="))
    said = lines[place + 1 :]
    end = next((number for number, line in enumerate(said) if not line.startswith("      ")), len(said))
    return lines[place].strip(), " ".join(line.strip() for line in said[:end])


@pytest.mark.parametrize("name", RunSettings.model_fields)
def test_every_setting_is_told(name: str) -> None:
    """With its default in words that `--set` takes, and its whole description, however wide the terminal."""
    line, said = lines_of(name)
    assert said == RunSettings.model_fields[name].description
    default = RunSettings.model_fields[name].default
    if default is not None:
        word = line.rpartition("(")[2].rstrip(")")
        options = argparse.Namespace(config=None, set=[f"{name}={word}"], **dict.fromkeys(("plan", "backbone", "weights")))
        options.device = options.threads = options.seed = None
        assert getattr(settings_of(options), name) == default


@pytest.mark.parametrize(
    "line",
    [
        "freeze=all|last-stage|none|0 to 50 (last-stage)",
        "learning_rate=above 0 to 10 (0.001)",
        "average=0 to below 1 (0)",
        "mirror=true|false",
        "weights=text",
        "epochs=1 to 1000 (10)",
        "steps=0 to 10000000 (0)",
        "rotate=0 to 180",
    ],
)
def test_ranges_are_those_of_the_fields(line: str) -> None:
    assert lines_of(line.partition("=")[0])[0] == line


def test_the_help_of_train_has_them_and_others_pay_nothing() -> None:
    """They are read only when the help is asked for: the settings take longer to load than most commands take."""
    code = "import sys; from transfer_core.cli.parser import build_parser; build_parser(); print('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "False"
    commands = build_parser()._subparsers._group_actions[0].choices
    assert settings_help() in commands["train"].format_help()
    assert "learning_rate" not in commands["check"].format_help()

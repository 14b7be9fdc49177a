"""`docs/commands.md` tells of every command and every option, in the words of `--help`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import pytest

from transfer_core.cli.parser import build_parser

DOCS = (Path(__file__).parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")
CONTRACT = {
    "app": "PROJECT --port --host --share --no-browser",
    "check": "DATA --backbone --labels --group --json",
    "train": "DATA --test --labels --group --plan --backbone --weights --config --set --find-rate --out --device --threads --seed "
    "--queue --json",
    "predict": "MODEL PATH --csv --copy-into --json",
    "evaluate": "MODEL DATA --json",
    "backbones": "--for --download --minutes --json",
    "weights list": "--json",
    "weights fetch": "BACKBONE --json",
    "weights add": "FILE --backbone --check --json",
    "weights remove": "NAME_OR_DIGEST --json",
    "runs list": "PROJECT --json",
    "runs show": "RUN --json",
    "runs stop": "RUN --json",
    "runs finish": "RUN --json",
    "runs pause": "RUN --json",
    "runs resume": "RUN --json",
    "runs extend": "RUN --epochs --json",
    "runs cancel": "RUN --json",
    "runs move": "RUN PLACE --json",
    "projects list": "--json",
    "doctor": "--json",
}


def commands(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not groups:
        yield parser
    for group in groups:
        for inner in group.choices.values():
            yield from commands(inner)


def arguments(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    for action in parser._actions:
        if isinstance(action, argparse._HelpAction):
            continue
        assert action.help, f"{parser.prog} says nothing of {action.dest}"
        metavar = str(action.metavar)
        option = action.option_strings[-1] if action.option_strings else ""
        yield (f"{option} {metavar}" if option and action.nargs != 0 else option or metavar), action.help


COMMANDS = list(commands(build_parser()))


def test_the_commands_are_those_of_the_contract() -> None:
    built = {
        parser.prog.removeprefix("transfer-studio "): {name.split()[0] for name, _ in arguments(parser)} for parser in COMMANDS
    }
    assert built == {name: set(words.split()) for name, words in CONTRACT.items()}


@pytest.mark.parametrize("parser", COMMANDS, ids=lambda parser: parser.prog)
def test_every_command_is_documented(parser: argparse.ArgumentParser) -> None:
    section = DOCS.split(f"\n## {parser.prog}\n", 1)
    assert len(section) == 2, f"docs/commands.md has no section for {parser.prog}"
    text = section[1].split("\n## ", 1)[0]
    for name, help_text in arguments(parser):
        assert f"| `{name}` | {help_text} |" in text
    assert parser.epilog and parser.epilog.removeprefix("Example: ") in text


@pytest.mark.parametrize("parser", COMMANDS, ids=lambda parser: parser.prog)
def test_every_example_can_be_understood(parser: argparse.ArgumentParser) -> None:
    assert parser.epilog
    words = parser.epilog.removeprefix("Example: transfer-studio ").split()
    assert callable(build_parser().parse_args(words).run_command)

"""Archives of free pictures: known by their digests, fetched where they are missing, and of photographs the free ones alone."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from transfer_core.backbones.starter import archives as module
from transfer_core.backbones.starter.archives import ARCHIVES, Archive, contents, fetch, licences, licences_of, pictures_of
from transfer_core.backbones.starter.installed import SOURCES
from transfer_core.errors import DataError

Made = Callable[[], tuple[Path, list[Archive]]]


def test_every_archive_states_a_free_licence() -> None:
    free = {"Apache-2.0", "MIT", "CC BY 4.0", "public domain", "public domain, some CC BY 4.0", "CC BY 4.0, one CC0"}
    assert {archive.licence for archive in ARCHIVES} <= free
    assert {len(archive.sha256) for archive in ARCHIVES} == {64}


def test_the_card_names_every_archive_with_its_licence_and_authors() -> None:
    card = Path(module.__file__).with_name("CARD.md").read_text(encoding="utf-8")
    for archive in ARCHIVES:
        line = next(line for line in card.splitlines() if f"`{archive.package}` {archive.version}" in line)
        assert archive.licence in line and archive.author in line
    assert all(f"`{source.path}`" in card for source in SOURCES)


def test_files_of_both_kinds_of_archives(archives: Made) -> None:
    folder, _made = archives()
    assert [name for name, _data in contents(folder / "icons.tgz")] == ["package/icons.json"]
    assert [name for name, _data in contents(folder / "drawings.deb")] == ["usr/share/openclipart/png/cat.png"]


def test_photographs_without_a_free_licence_are_left_out(archives: Made) -> None:
    folder, made = archives()
    found = [name for name, _data in pictures_of(made[2], folder / made[2].file)]
    assert found == ["usr/share/game/images/land/hill.jpg"]


def test_all_rules_for_a_file_tell_its_licences() -> None:
    text = "Files: *\nLicense: GPL-2\n\nFiles: a/one.jpg\n a/two.jpg\nLicense: CC0-1.0\n text\n\nFiles: a/two*\nLicense: CC0-1.0 and MIT\n"
    rules = licences(text)
    assert rules == [("*", "GPL-2"), ("a/one.jpg", "CC0-1.0"), ("a/two.jpg", "CC0-1.0"), ("a/two*", "CC0-1.0 and MIT")]
    assert licences_of("usr/share/backgrounds/one.jpg", rules) == ["CC0-1.0"]  # moved when it was installed
    assert licences_of("usr/share/a/two.jpg", rules) == ["CC0-1.0", "CC0-1.0 and MIT"]
    assert licences_of("usr/share/backgrounds/three.jpg", rules) == ["GPL-2"]
    assert licences_of("three.jpg", []) == []


def test_a_missing_archive_is_fetched_and_another_one_is_refused(archives: Made, tmp_path: Path) -> None:
    folder, made = archives()
    asked: list[list[str]] = []

    def run(command: list[str], cwd: Path, **_options: Any) -> None:
        asked.append(command)
        (cwd / made[0].file).write_bytes((folder / made[0].file).read_bytes())

    assert fetch(made[0], tmp_path / "new", run).exists()
    assert fetch(made[0], tmp_path / "new", run).exists()
    assert asked == [["npm", "pack", "--silent", "icons@1"]]  # once
    with pytest.raises(DataError, match="is not the archive"):
        fetch(replace(made[0], sha256="0" * 64), folder)


def test_without_the_package_manager_it_is_said_where_the_file_is_to_lie(archives: Made, tmp_path: Path) -> None:
    _folder, made = archives()
    for error in (FileNotFoundError("no apt-get"), subprocess.CalledProcessError(1, "apt-get")):

        def run(*_given: Any, error: Exception = error, **_options: Any) -> None:
            raise error

        with pytest.raises(DataError) as raised:
            fetch(replace(made[1], manager="apt"), tmp_path / "none", run)
        assert made[1].file in str(raised.value.fix)

from __future__ import annotations

from pathlib import Path

import pytest

from transfer_core import places
from transfer_core.errors import StorageError


def test_home_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable moves everything of ours; without it, it is TransferStudio in the user's folder."""
    monkeypatch.setenv(places.VARIABLE, str(tmp_path / "elsewhere"))
    assert places.home() == tmp_path / "elsewhere"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(places.VARIABLE, "near")
    assert places.home() == tmp_path / "near"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv(places.VARIABLE, "~/mine")
    assert places.home() == tmp_path / "mine"
    monkeypatch.delenv(places.VARIABLE)
    assert places.home() == tmp_path / "TransferStudio"


def test_own_folders_are_made_and_hidden_from_the_projects() -> None:
    """Weights and trash lie under a dot folder, which no list of projects shows."""
    for folder in (places.weights_folder(), places.trash_folder()):
        assert folder.is_dir()
        assert folder.parent == places.home() / ".studio"


def test_a_home_that_can_not_be_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file in the home folder's place is a StorageError and no traceback."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(places.VARIABLE, str(tmp_path / "file"))
    with pytest.raises(StorageError, match="file"):
        places.weights_folder()

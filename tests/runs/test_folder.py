from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from transfer_core.data.project import Project
from transfer_core.errors import RunError, SettingsError, StorageError
from transfer_core.places import trash_folder
from transfer_core.runs import control
from transfer_core.runs.events import RESERVE
from transfer_core.runs.folder import Run, create_run, find_run, list_runs, read_state
from transfer_core.training.settings import RunSettings


def test_a_new_run(project: Project) -> None:
    run = create_run(project, RunSettings(backbone="starter"))
    assert re.fullmatch(r"\d{8}-\d{6}-[0-9a-f]{4}", run.id)
    assert run.folder == project.folder / "runs" / run.id
    assert run.project_folder == project.folder
    assert run.name == "starter, quick"
    assert run.settings == RunSettings(backbone="starter")
    assert run.report() is None
    assert (run.folder / RESERVE).exists() and (run.folder / "control").is_dir()
    state = read_state(run)
    assert state.status == "queued" and not state.alive and state.error is None


def test_out_is_the_run_folder(project: Project, tmp_path: Path) -> None:
    out = tmp_path / "elsewhere" / "run"
    run = create_run(project, RunSettings(), out)
    assert run.folder == out and run.project_folder == project.folder
    assert find_run(run.id).folder == out
    assert [listed.id for listed in list_runs(project.folder)] == [run.id]
    run.delete()
    assert list_runs(project.folder) == [] and not out.exists()


def test_out_may_be_an_empty_folder(project: Project, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert create_run(project, RunSettings(), tmp_path / "empty").folder == tmp_path / "empty"


def test_out_must_be_empty(project: Project, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("dear")
    for out in (tmp_path / "full", tmp_path / "full" / "letter.txt"):
        with pytest.raises(RunError) as caught:
            create_run(project, RunSettings(), out)
        assert caught.value.code == "out-not-empty"


def test_out_never_lies_in_the_pictures(project: Project, pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(pictures)
    for out in (pictures / "run", tmp_path / "link" / "cat" / "run"):
        with pytest.raises(RunError) as caught:
            create_run(project, RunSettings(), out)
        assert caught.value.code == "out-in-data"
    assert not (pictures / "run").exists()


def test_nothing_stays_of_a_run_the_disk_refused(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    write = RunSettings.write

    def refuse(self: RunSettings, path: Path) -> None:
        write(self, path)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(RunSettings, "write", refuse)
    for out in (None, tmp_path / "empty", tmp_path / "new"):
        with pytest.raises(StorageError) as caught:
            create_run(project, RunSettings(), out)
        assert caught.value.code == "disk-full"
    assert list((project.folder / "runs").iterdir()) == []
    assert list((tmp_path / "empty").iterdir()) == [] and not (tmp_path / "new").exists()


def test_runs_are_listed_newest_first_and_broken_ones_skipped(project: Project) -> None:
    runs = [create_run(project, RunSettings(seed=seed)) for seed in range(3)]
    (project.folder / "runs" / "empty").mkdir()
    (project.folder / "runs" / "stray.txt").write_text("")
    (project.folder / "runs" / "stray.json").write_text("[]")
    (project.folder / "runs" / "bad").mkdir()
    (project.folder / "runs" / "bad" / "run.json").write_text('{"schema": 1}')
    assert [run.id for run in list_runs(project.folder)] == [run.id for run in reversed(runs)]
    assert list_runs(project.folder / "nowhere") == []


def test_a_moved_project_keeps_its_runs(project: Project, tmp_path: Path) -> None:
    run = create_run(project, RunSettings())
    shutil.move(project.folder, tmp_path / "moved")
    assert Run(tmp_path / "moved" / "runs" / run.id).project_folder == tmp_path / "moved"


def test_find_run(project: Project) -> None:
    run = create_run(project, RunSettings())
    assert find_run(run.id).folder == find_run(run.folder).folder == run.folder


@pytest.mark.parametrize("text", ["nothing", "../pictures", "/", "", "."])
def test_no_such_run(project: Project, text: str) -> None:
    with pytest.raises(RunError) as caught:
        find_run(text)
    assert caught.value.code == "no-such-run"


def test_a_newer_run_says_so(project: Project) -> None:
    run = create_run(project, RunSettings())
    file = run.folder / "run.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"schema": 2}))
    with pytest.raises(RunError) as caught:
        Run(run.folder)
    assert caught.value.code == "newer-schema"


def test_rename(project: Project) -> None:
    run = create_run(project, RunSettings())
    run.rename("  Bees, first try ")
    assert Run(run.folder).name == "Bees, first try"
    for name in ("", "  ", "x" * 201, "two\nlines"):
        with pytest.raises(RunError):
            run.rename(name)


def test_duplicate(project: Project) -> None:
    run = create_run(project, RunSettings())
    copy = run.duplicate({"seed": 7, "backbone": "resnet18"})
    assert copy.id != run.id and copy.settings == RunSettings(seed=7, backbone="resnet18")
    assert copy.name == "resnet18, quick"
    run.rename("Mine")
    assert run.duplicate({}).name == "Mine, copy"
    with pytest.raises(SettingsError):
        run.duplicate({"epochs": 0})


def test_delete_moves_to_the_trash(project: Project) -> None:
    run = create_run(project, RunSettings())
    target = run.delete()
    assert target.parent == trash_folder() and (target / "config.toml").exists()
    assert not run.folder.exists()


def test_a_run_at_work_is_not_deleted(make_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run()
    monkeypatch.setattr("transfer_core.runs.folder.is_alive", lambda run: True)
    with pytest.raises(RunError) as caught:
        run.delete()
    assert caught.value.code == "run-alive" and run.folder.exists()


def test_control(project: Project) -> None:
    run = create_run(project, RunSettings())
    assert control.requested(run.folder) is None
    control.request(run, "finish")
    assert control.requested(run.folder) == "finish"
    control.request(run, "stop")
    assert control.requested(run.folder) == "stop"
    control.clear(run.folder)
    control.clear(run.folder)
    assert control.requested(run.folder) is None

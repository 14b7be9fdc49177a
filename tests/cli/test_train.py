"""`train` and `runs`, as processes at a terminal."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from transfer_core.cli import train
from transfer_core.cli.parser import build_parser
from transfer_core.data.project import Project
from transfer_core.errors import SettingsError, TransferError
from transfer_core.runs.folder import Run, find_run, list_runs, read_state
from transfer_core.runs.process import is_alive
from transfer_core.training.settings import RunSettings

Command = Callable[..., subprocess.Popen[str]]
CUSTOM = ("--plan", "custom", "--backbone", "fake")


def finished(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def last(out: str) -> Any:
    return json.loads(out.splitlines()[-1])


def run_at_work(process: subprocess.Popen[str], epochs: int = 2) -> Run:
    """The run a command has begun, once some epochs are told."""
    assert process.stderr
    identity = process.stderr.readline().split()[1].rstrip(":")
    for line in process.stderr:
        epochs -= line.startswith("Epoch")
        if not epochs:
            return find_run(identity)
    raise AssertionError("the command ended before that")


def wait_until_gone(run: Run) -> None:
    deadline = time.monotonic() + 20
    while is_alive(run) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_alive(run)


def test_train(command: Command, pictures: Path) -> None:
    code, out, err = finished(command("train", pictures, *CUSTOM, "--set", "epochs=3"))
    assert code == 0
    assert "Validation: 90.0 % right (between 70.0 % and 97.0 %, on 20 pictures)." in out
    assert err.count("Epoch") == 3 and "Training" in err


def test_train_json(command: Command, pictures: Path, tmp_path: Path) -> None:
    out_folder = tmp_path / "out"
    code, out, _ = finished(command("train", pictures, *CUSTOM, "--set", "epochs=1", "--out", out_folder, "--json"))
    assert code == 0
    report = last(out)
    assert report["run"] == str(out_folder) and report["model"] == str(out_folder / "model")
    assert len(out.splitlines()) == 1
    # The run is found by its id and in its project, though it lies elsewhere.
    run = Run(out_folder)
    assert find_run(run.id).folder == out_folder
    assert [listed.id for listed in list_runs(Project.for_source(pictures).folder)] == [run.id]
    assert sorted(path.name for path in pictures.rglob("*")) == ["cat", "cat0.png", "cat1.png", "dog", "dog0.png", "dog1.png"]


def test_interrupted_and_resumed(command: Command, pictures: Path) -> None:
    process = command("train", pictures, *CUSTOM, "--set", "epochs=30", "--json")
    run = run_at_work(process)
    process.send_signal(signal.SIGINT)
    code, out, err = finished(process)
    assert code == 2 and "Stopping" in err
    error = last(out)["error"]
    assert error["code"] == "stopped" and error["fix"] == f"Resume with: transfer-studio runs resume {run.id}"
    assert read_state(run).status == "stopped"
    wait_until_gone(run)
    code, out, err = finished(command("runs", "resume", run.id, "--json"))
    assert code == 0 and last(out)["resumed"] and last(out)["steps"] == 30
    assert "Resumed" in err


def test_interrupted_in_words(command: Command, pictures: Path) -> None:
    process = command("train", pictures, *CUSTOM, "--set", "epochs=1000")
    run = run_at_work(process)
    process.send_signal(signal.SIGINT)
    code, out, err = finished(process)
    assert code == 2 and out == ""
    assert err.splitlines()[-1] == f"Stopped. Resume with: transfer-studio runs resume {run.id}"


def test_interrupted_at_once(command: Command, pictures: Path) -> None:
    """Between the run's folder and its process there is nobody to ask; the wish is kept."""
    process = command("train", pictures, *CUSTOM, "--set", "epochs=1000", "--json")
    runs = Project.for_source(pictures).folder / "runs"
    while not list(runs.glob("*/run.json")):
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    code, out, _ = finished(process)
    assert code == 2 and last(out)["error"]["code"] == "stopped"
    (run,) = list_runs(runs.parent)
    assert read_state(run).status == "stopped"


def test_interrupted_twice(command: Command, pictures: Path) -> None:
    process = command("train", pictures, *CUSTOM, "--set", "epochs=1000", "--json", prelude=["-c", TWICE])
    run = run_at_work(process)
    process.send_signal(signal.SIGINT)
    assert process.stderr
    # Not a loop over readline(): that would never end, should the command end without these words.
    assert any(line.startswith("Stopping") for line in process.stderr)
    process.send_signal(signal.SIGINT)
    code, out, _ = finished(process)
    assert code == 2 and last(out)["error"]["code"] == "left"
    (run.folder / "control" / "stop").touch()
    wait_until_gone(run)
    assert read_state(run).status == "stopped"


# The command, except that its wish to stop does not reach the run: one that takes long over a batch.
TWICE = """
import runpy, sys
from transfer_core.runs import control
control.request = lambda run, what: None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_a_closed_terminal_does_not_end_the_run(command: Command, pictures: Path) -> None:
    process = command("train", pictures, *CUSTOM, "--set", "epochs=20")
    run = run_at_work(process)
    process.send_signal(signal.SIGHUP)
    finished(process)
    wait_until_gone(run)
    assert read_state(run).status == "finished"


def test_the_process_is_killed(command: Command, pictures: Path) -> None:
    code, out, _ = finished(command("train", pictures, "--backbone", "fake-gone", "--json"))
    error = last(out)["error"]
    assert code == 2 and error["code"] == "died" and "runs resume" in error["fix"] and error["file"].endswith("worker.log")


def test_a_failure(command: Command, pictures: Path) -> None:
    code, out, _ = finished(command("train", pictures, "--backbone", "fake-refused", "--json"))
    assert code == 2 and last(out)["error"]["code"] == "wrong-weights"
    code, out, err = finished(command("train", pictures, "--backbone", "fake-refused"))
    assert code == 2 and out == "" and err.splitlines()[-1] == "These weights are not for this. Choose others."


def test_stop_and_finish_from_elsewhere(command: Command, pictures: Path) -> None:
    process = command("train", pictures, *CUSTOM, "--set", "epochs=1000", "--json")
    run = run_at_work(process)
    code, out, _ = finished(command("runs", "stop", run.id, "--json"))
    assert code == 0 and last(out)["status"] == "stopped"
    code, out, _ = finished(process)
    assert code == 2 and last(out)["error"]["code"] == "stopped"
    wait_until_gone(run)
    again = command("runs", "resume", run.folder, "--json")
    run_at_work(again, 1)
    code, out, _ = finished(command("runs", "finish", run.folder))
    assert code == 0 and out.strip() == f"{run.id}: finished"
    assert finished(again)[0] == 0


def test_show_and_list(
    command: Command, pictures: Path, answer: Callable[..., tuple[int, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    from transfer_core.cli import main

    assert answer("runs", "list") == (0, {"runs": []})
    finished(command("train", pictures, *CUSTOM, "--set", "epochs=2"))
    project = Project.for_source(pictures)
    (run,) = list_runs(project.folder)
    for arguments in ([], [str(project.folder)]):
        code, data = answer("runs", "list", *arguments)
        assert code == 0 and [(entry["id"], entry["status"]) for entry in data["runs"]] == [(run.id, "finished")]
    code, data = answer("runs", "show", run.id)
    assert code == 0 and data["status"] == "finished" and len(data["epochs"]) == 2 and data["report"]["steps"] == 2
    assert main(["runs", "show", run.id]) == 0 and main(["runs", "list"]) == 0
    assert run.id in capsys.readouterr().out
    assert answer("runs", "stop", run.id)[1]["error"]["code"] == "not-running"
    assert answer("runs", "resume", run.id)[1]["error"]["code"] == "already-finished"
    assert answer("runs", "list", pictures)[1]["error"]["code"] == "not-a-project"


def settings(*arguments: str | Path) -> RunSettings:
    return train.settings_of(build_parser().parse_args(["train", "data", *map(str, arguments)]))


def test_settings_of_three_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    RunSettings(plan="custom", epochs=3, seed=3, learning_rate=0.5).write(tmp_path / "run.toml")
    merged = settings("--config", "run.toml", "--set", "epochs=4", "--set", "seed=4", "--seed", "5")
    assert merged == RunSettings(plan="custom", epochs=4, seed=5, learning_rate=0.5)
    assert settings() == RunSettings()
    assert settings("--set", "augment=false", "--set", "learning_rate=1e-4").augmentation == "none"
    assert settings("--set", "backbone=resnet18").backbone == "resnet18"
    assert settings("--set", "weights=a=b.pth").weights == str(tmp_path / "a=b.pth")


def test_paths_of_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "conf").mkdir()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf" / "run.toml").write_text('weights = "w.pth"\n')
    assert settings("--config", "conf/run.toml").weights == str(tmp_path / "conf" / "w.pth")
    assert settings("--config", "conf/run.toml", "--weights", "v.pth").weights == str(tmp_path / "v.pth")
    assert settings("--weights", "/abs/w.pth").weights == "/abs/w.pth"


@pytest.mark.parametrize(
    "text", ["epochs", "=3", "epochs=many", "epochs=0", "unknown=1", "plan=magic", "epochs=[1]", "epochs=\n"]
)
def test_settings_that_do_not_fit(text: str) -> None:
    with pytest.raises(TransferError) as caught:
        settings("--set", text)
    assert caught.value.code in ("usage", "settings") and caught.value.fix


def test_nothing_is_made_when_something_is_wrong(
    answer: Callable[..., tuple[int, Any]], pictures: Path, own_home: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty.toml").write_text("")
    wrong = [
        [pictures, "--plan", "nothing"],
        [pictures, "--backbone", "nothing"],
        [pictures, "--weights", "nowhere.pth"],
        [pictures, "--config", "nowhere.toml"],
        [pictures, "--test", tmp_path / "nowhere"],
        [tmp_path / "nowhere"],
        [tmp_path / "empty.toml"],
    ]
    for arguments in wrong:
        code, data = answer("train", *arguments)
        assert code == 2 and data["error"]["message"], arguments
    assert not list(own_home.glob("*/project.toml"))


def test_out_in_the_pictures(command: Command, pictures: Path) -> None:
    code, out, _ = finished(command("train", pictures, "--out", pictures / "run", "--json"))
    assert code == 2 and last(out)["error"]["code"] == "out-in-data"
    assert not (pictures / "run").exists()


def test_a_project_in_place_of_the_pictures(command: Command, pictures: Path) -> None:
    project = Project.for_source(pictures)
    code, _, _ = finished(command("train", project.folder, *CUSTOM, "--set", "epochs=1"))
    assert code == 0 and len(list_runs(project.folder)) == 1
    code, out, _ = finished(command("train", project.folder, "--test", pictures, "--json"))
    assert code == 2 and last(out)["error"]["code"] == "usage"


def test_more_frozen_stages_than_there_are_is_told_before_a_run_is_made() -> None:
    settings = RunSettings(plan="custom", backbone="resnet18", freeze=6)
    with pytest.raises(SettingsError) as caught:
        train.check_settings(settings)
    assert caught.value.code == "too-deep"
    train.check_settings(settings.model_copy(update={"freeze": 5}))

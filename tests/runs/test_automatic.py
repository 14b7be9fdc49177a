"""The automatic model: when a training of it begins and when not, that it follows the pictures, and that it is in nobody's way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from transfer_core.data.edits import Edits
from transfer_core.data.project import Project
from transfer_core.data.scan import scan
from transfer_core.files import write_json
from transfer_core.models.predict import Predictor
from transfer_core.processes import child_environment, module_command
from transfer_core.runs import automatic, launch
from transfer_core.runs.automatic import Automatic, follow
from transfer_core.runs.folder import AUTOMATIC, Run, create_run, list_runs, read_state
from transfer_core.runs.process import is_alive, read_worker
from transfer_core.training.settings import RunSettings

FAKE_WORKER = Path(__file__).with_name("fake_automatic_worker.py")
Pictures = Callable[..., Path]


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings are a stand-in and begin at once."""
    monkeypatch.setattr(launch, "worker_command", lambda run: [sys.executable, str(FAKE_WORKER), str(run.folder)])
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.setattr(automatic, "QUIET", -1.0)


@pytest.fixture
def pictures(tmp_path: Path) -> Pictures:
    """Two classes of as many pictures as asked for, each of another grey."""
    from PIL import Image

    def draw(count: int, start: int = 0, labels: tuple[str, ...] = ("cat", "dog")) -> Path:
        for number, label in enumerate(labels):
            (tmp_path / "pictures" / label).mkdir(parents=True, exist_ok=True)
            for place in range(start, count):
                grey = Image.new("RGB", (40 + place, 32), (place * 7, number * 90, 40))
                grey.save(tmp_path / "pictures" / label / f"{place}.png")
        return tmp_path / "pictures"

    return draw


@pytest.fixture
def project(pictures: Pictures) -> Iterator[Project]:
    """Two classes of six pictures; what trains for it is ended after the test."""
    made = Project.for_source(pictures(6))
    scan(made)
    yield made
    for run in [*list_runs(made.folder), *runs_of(made)]:
        if is_alive(run):
            psutil.Process(pid_of(run)).kill()


def runs_of(project: Project) -> list[Run]:
    return list_runs(project.folder, AUTOMATIC)


def pid_of(run: Run) -> int:
    worker = read_worker(run.folder)
    assert worker is not None
    return worker.pid


def do(project: Project, what: str) -> None:
    (project.folder / "what").write_text(what)


def settle_down(project: Project, *wanted: str) -> Automatic:
    """Look again until it stands as wanted, or no training is due any more."""
    deadline = time.monotonic() + 40
    while (state := follow(project)).status not in (wanted or ("ready", "failed", "few", "many", "off")):
        assert time.monotonic() < deadline, state
        time.sleep(0.02)
    return state


def ended(run: Run) -> None:
    deadline = time.monotonic() + 20
    while is_alive(run):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_it_begins_with_the_fifth_picture_of_a_second_class(pictures: Pictures) -> None:
    project = Project.for_source(pictures(4))
    scan(project)
    assert follow(project) == Automatic("few") and not runs_of(project)
    pictures(5)
    scan(project)
    assert follow(project).status == "training"
    state = settle_down(project)
    assert state.status == "ready" and state.model is not None and state.model.id == runs_of(project)[0].id
    assert state.model.automatic and automatic.model_of(project.folder) is not None
    assert list_runs(project.folder) == [], "it stands among the trainings of the user's"


def test_one_class_that_has_enough_is_not_enough(pictures: Pictures) -> None:
    project = Project.for_source(pictures(4))
    pictures(9, 4, ("cat",))
    scan(project)
    assert follow(project).status == "few"


def test_nothing_begins_while_pictures_change(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(automatic, "QUIET", 1.0)
    Edits(project).rename("cat", "tiger")
    begin = time.time()
    assert follow(project).status == "behind" and not runs_of(project)
    settle_down(project, "training")
    assert time.time() - begin > 0.8


def test_a_disk_whose_clock_is_ahead_does_not_keep_it_waiting(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(automatic, "QUIET", 0.5)
    ahead = time.time() + 3600
    os.utime(project.folder / "samples.sqlite", (ahead, ahead))
    assert follow(project).status == "behind"
    settle_down(project, "training")


def test_nothing_begins_while_folders_are_looked_through_or_missing(project: Project) -> None:
    scanned = project.cache / "scan"
    scanned.mkdir(parents=True)
    write_json(scanned / "state.json", {"status": "running", "time": time.time()})
    assert follow(project).status == "behind"
    write_json(scanned / "state.json", {"status": "finished"})
    folder = project.sources[0].folder
    folder.rename(folder.with_name("elsewhere"))
    assert follow(project).status == "behind" and not runs_of(project)


def test_more_pictures_than_it_is_for(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(automatic, "MOST", 11)
    assert follow(project) == Automatic("many") and not runs_of(project)


def test_it_follows_every_edit_and_keeps_no_heap_of_models(project: Project) -> None:
    first = settle_down(project).model
    edits = Edits(project)
    seen = [first]
    edits.relabel([project.table.samples(label="cat")[0].id], "dog")
    for change in (lambda: None, lambda: edits.rename("dog", "wolf"), edits.undo):
        change()
        behind = settle_down(project, "training")
        assert behind.model is not None and behind.model.id == seen[-1].id, "the one before answers until then"  # type: ignore[union-attr]
        state = settle_down(project)
        assert state.status == "ready" and state.model is not None and state.model.id not in [run.id for run in seen if run]
        assert (state.model.report() or {})["classes"] == sorted({count.label for count in project.table.classes()})
        seen.append(state.model)
    follow(project)
    assert [run.id for run in runs_of(project)] == [run.id for run in reversed(seen[-automatic.KEPT :]) if run]


def test_what_changes_no_picture_in_use_is_not_followed(project: Project) -> None:
    model = settle_down(project).model
    Edits(project).keep("duplicates", ["one"])
    edits = Edits(project)
    edits.rename("cat", "tiger")
    edits.undo()
    state = follow(project)
    assert state.status == "ready" and state.model and model and state.model.id == model.id


def test_groups_that_are_found_count_as_a_change(project: Project) -> None:
    """Copies that stand in two folds make a score too good: the model is scored anew when they are found."""
    from transfer_core.data.groups import Pair, keep_pairs
    from transfer_core.data.settle import settle

    settle_down(project)
    one, other = sorted(sample.content for sample in project.table.samples(label="cat", split="train")[:2])
    with project.table.change() as connection:
        keep_pairs(connection, [Pair(one, other, "burst", 1.0)])
    settle(project.table, project.shares)
    assert follow(project).status == "training"


def test_a_look_at_unchanged_pictures_does_not_read_them(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    settle_down(project)
    follow(project)
    monkeypatch.setattr(automatic, "_digest", lambda project: pytest.fail("the table was read"))
    project.table.count()
    assert follow(project).status == "ready"


def test_many_looks_at_once_begin_one(project: Project) -> None:
    do(project, "slow")
    with ThreadPoolExecutor(6) as tabs:
        states = list(tabs.map(follow, [project] * 6))
    assert {state.status for state in states} == {"training"} and len(runs_of(project)) == 1


def test_two_processes_begin_one(project: Project) -> None:
    do(project, "slow")
    code = (
        "import sys; from pathlib import Path; from transfer_core.runs import automatic, launch;"
        f"launch.worker_command = lambda run: [sys.executable, {str(FAKE_WORKER)!r}, str(run.folder)]; automatic.QUIET = -1;"
        "from transfer_core.data.project import Project; print('here', flush=True); sys.stdin.readline();"
        f"print(automatic.follow(Project.open(Path({str(project.folder)!r}))).status)"
    )
    servers = [
        subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    for server in servers:
        assert server.stdout and server.stdout.readline() == "here\n"
    assert [server.communicate("go\n")[0].strip() for server in servers] == ["training", "training"]
    assert len(runs_of(project)) == 1


def test_what_failed_is_not_tried_again_until_something_changes(project: Project) -> None:
    do(project, "refused")
    state = settle_down(project)
    assert state.status == "failed" and state.error and state.error.code == "bad-pictures" and state.model is None
    assert follow(project).status == "failed" and len(runs_of(project)) == 1
    do(project, "")
    Edits(project).rename("cat", "tiger")
    assert settle_down(project).status == "ready"


def test_killed_and_begun_again_but_not_for_ever(project: Project) -> None:
    do(project, "slow")
    for attempt in range(1, automatic.ATTEMPTS + 1):
        assert follow(project).status == "training"
        run = runs_of(project)[0]
        assert automatic._asked(run)[1] == attempt
        os.kill(pid_of(run), signal.SIGKILL)
        ended(run)
    state = follow(project)
    assert state.status == "failed" and state.error and state.error.code == "died" and str(run.log_file) in str(state.error.fix)
    do(project, "")
    Edits(project).rename("cat", "tiger")
    assert settle_down(project).status == "ready"


def test_trainings_of_the_users_go_first(project: Project) -> None:
    do(project, "slow")
    follow(project)
    quick = runs_of(project)[0]
    own = create_run(project, RunSettings())
    launch.start(own)
    ended(quick)
    assert read_state(quick).status == "stopped"
    assert follow(project).status == "waiting" and len(runs_of(project)) == 1
    launch.stop(own)
    ended(own)
    assert follow(project).status == "training"
    assert automatic._asked(runs_of(project)[0])[1] == 1, "to make way is no failure"


def test_one_that_began_beside_a_training_of_the_users_is_stopped(project: Project) -> None:
    do(project, "slow")
    own = create_run(project, RunSettings())
    launch.start(own)
    quick = create_run(project, RunSettings(), within=AUTOMATIC)
    launch.start(quick)
    assert follow(project).status == "waiting"
    ended(quick)
    assert is_alive(own)


def test_not_wanted(project: Project) -> None:
    settle_down(project)
    do(project, "slow")
    Edits(project).rename("cat", "tiger")
    follow(project)
    automatic.want(False)
    assert follow(project) == Automatic("off") and automatic.model_of(project.folder) is None
    ended(runs_of(project)[0])
    assert follow(project).status == "off"
    automatic.want(True)
    assert follow(project).status == "training"


def test_a_project_that_is_deleted_or_copied(project: Project) -> None:
    do(project, "slow")
    follow(project)
    copy = project.duplicate("copy")
    assert not (copy.folder / AUTOMATIC).exists()
    automatic.halt(project.folder)
    assert not is_alive(runs_of(project)[0])
    place = project.delete()
    time.sleep(0.3)
    assert not project.folder.exists() and (place / AUTOMATIC).is_dir()


def test_it_starts_from_what_the_pictures_were_last_learnt_with(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    from transfer_core.backbones import weights
    from transfer_core.runs import last_backbone

    assert automatic._settings(project) == RunSettings()
    published, own = (weights.KeptWeights("resnet18", digest, Path(f"/{digest}"), "a file") for digest in ("1", "2"))
    monkeypatch.setattr(weights, "obtain", lambda name: published)
    monkeypatch.setattr(last_backbone, "weights_at_hand", lambda folder: published)
    assert automatic._settings(project) == RunSettings(backbone="resnet18")
    monkeypatch.setattr(last_backbone, "weights_at_hand", lambda folder: own)
    assert automatic._settings(project) == RunSettings(backbone="resnet18", weights="/2")


def test_a_real_one_answers(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "worker_command", lambda run: module_command("transfer_core.runs.worker", run.folder))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert "PYTHONPATH" in child_environment()
    state = settle_down(project)
    assert state.status == "ready" and state.model is not None
    picture = project.table.samples(label="cat")[0].path
    assert next(Predictor(state.model.model_folder, 1).predict([picture])).label in ("cat", "dog")

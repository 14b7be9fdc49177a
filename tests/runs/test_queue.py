"""The order of the queue on disk, and what can be done with it while nobody gives turns."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from transfer_core.errors import RunError
from transfer_core.places import own_folder
from transfer_core.runs import control, launch, queue
from transfer_core.runs.folder import Run, read_state
from transfer_core.runs.process import is_alive
from transfer_core.runs.starting import gone

MakeRun = Callable[..., Run]


def waiting() -> list[Path]:
    return [entry.folder for entry in queue.order()]


def three(make_run: MakeRun) -> tuple[Run, Run, Run]:
    runs = make_run(), make_run(), make_run()
    for run in runs:
        queue.add(run)
    return runs


def test_first_come_first_served_and_once(make_run: MakeRun) -> None:
    first, second, third = three(make_run)
    queue.add(first)
    assert waiting() == [first.folder, second.folder, third.folder]
    queue.add(third, first=True)
    assert waiting() == [third.folder, first.folder, second.folder]
    assert queue.find(first) and queue.find(make_run()) is None


@pytest.mark.parametrize(("place", "expected"), [(0, "cab"), (1, "acb"), (2, "abc"), (99, "abc"), (-5, "cab")])
def test_moved(make_run: MakeRun, place: int, expected: str) -> None:
    runs = dict(zip("abc", three(make_run), strict=True))
    queue.move(runs["c"], place)
    assert waiting() == [runs[name].folder for name in expected]


def test_cancelled_and_queued_again(make_run: MakeRun) -> None:
    first, second, third = three(make_run)
    queue.cancel(second)
    assert waiting() == [first.folder, third.folder] and read_state(second).status == "queued"
    for change in (queue.cancel, lambda run: queue.move(run, 0)):
        with pytest.raises(RunError) as caught:
            change(second)
        assert caught.value.code == "not-queued"
    queue.add(second)
    assert waiting()[-1] == second.folder


def test_a_run_that_is_deleted_waits_no_more(make_run: MakeRun) -> None:
    first, second, _ = three(make_run)
    first.delete()
    shutil.rmtree(second.folder)
    assert len(waiting()) == 1
    claimed = queue.claim("cpu")
    assert claimed and claimed.folder == queue._read()[0].folder and len(queue._read()) == 1


def test_what_was_asked_before_does_not_count_for_the_next_process(make_run: MakeRun) -> None:
    run = make_run()
    control.request(run, "stop")
    queue.add(run)
    assert control.requested(run.folder) is None


def test_a_turn_that_was_had_otherwise_is_over(make_run: MakeRun) -> None:
    first, second, _ = three(make_run)
    launch.start(first)
    assert waiting()[0] == second.folder
    with pytest.raises(RunError) as caught:
        queue.add(first)
    assert caught.value.code == "already-running"
    launch.follow(first, lambda event: None)
    with pytest.raises(RunError) as caught:
        queue.add(first)
    assert caught.value.code == "already-finished"


def test_one_at_a_time_on_each_device(make_run: MakeRun) -> None:
    first, second, _ = three(make_run)
    entry = queue.claim("cpu")
    assert entry and entry.begun and entry.folder == first.folder
    assert queue.claim("cpu") == entry, "begun without a sign of life: its starter was killed"
    assert queue.claim("cuda") is None and queue.stranded()
    with queue.starting():
        assert not queue.stranded(), "it is being started just now"
    launch.carry_on(first, entry.after)
    assert queue.claim("cpu") is None and [each.folder for each in queue.at_work()] == [first.folder]
    launch.follow(first, lambda event: None)
    deadline = time.monotonic() + 10
    while is_alive(first) and time.monotonic() < deadline:
        time.sleep(0.01)
    following = queue.claim("cpu")
    assert following and following.folder == second.folder


def test_a_second_process_for_the_same_turn_makes_way(make_run: MakeRun) -> None:
    run = make_run(epochs=2)
    queue.add(run)
    entry = queue.claim("cpu")
    assert entry
    launch.carry_on(run, entry.after)
    launch.stop(run)
    launch.follow(run, lambda event: None)
    assert gone(run)  # while it lives, the second one has made way for it in another manner
    with pytest.raises(RunError):
        launch.carry_on(run, entry.after)
    assert run.events_file.read_text().count("run_started") + run.events_file.read_text().count("run_resumed") == 1


def test_many_at_once_lose_nothing(make_run: MakeRun) -> None:
    runs = [make_run() for _ in range(6)]

    def change(run: Run) -> None:
        for _ in range(5):
            queue.add(run)
            queue.move(run, 0)
            queue.cancel(run)
        queue.add(run)

    threads = [threading.Thread(target=change, args=(run,)) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(waiting()) == sorted(run.folder for run in runs)


@pytest.mark.parametrize("text", ["", "[]", '{"schema": 1, "entries": [{}]}', '{"schema": 99, "entries": []}'])
def test_a_file_that_is_damaged_is_told(text: str) -> None:
    file = own_folder("queue") / "queue.json"
    file.write_text(text)
    with pytest.raises(RunError) as caught:
        queue.order()
    assert caught.value.file == str(file)


def test_the_file_has_a_schema(make_run: MakeRun) -> None:
    run = make_run()
    queue.add(run)
    data = json.loads((own_folder("queue") / "queue.json").read_text())
    assert data["schema"] == queue.SCHEMA
    assert data["entries"] == [{"folder": str(run.folder), "device": "cpu", "after": 0.0, "begun": False}]

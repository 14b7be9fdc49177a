"""The loop itself, on features kept at the last boundary of the small backbone: a step takes a millisecond."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from transfer_core.backbones.network import load_backbone
from transfer_core.errors import RunError
from transfer_core.models.transfer_model import TransferModel
from transfer_core.training import checkpoint, loop
from transfer_core.training.context import Context, Stopped
from transfer_core.training.feeds import FixedFeed
from transfer_core.training.length import length_of
from transfer_core.training.loop import Task, seconds_of_step, train
from transfer_core.training.settings import RunSettings
from transfer_core.training.state import LoopState, put_kept, snapshot

COUNT, CLASSES = 20, 3


class Fixed(FixedFeed):
    """Pictures of noise with a mark of their class, each always the same."""

    mixable = True

    def __init__(self, count: int, seed: int):
        generator = torch.Generator().manual_seed(seed)
        pictures = torch.randn(count, 3, 48, 48, generator=generator)
        for number in range(count):
            pictures[number, number % CLASSES] += 2
        super().__init__(pictures, count)

    def drawn(self, places: Any, generator: torch.Generator) -> Tensor:
        return self._given[torch.from_numpy(places)]

    plain = lambda self, places: self.drawn(places, torch.Generator())  # noqa: E731


@dataclass
class Trial:
    """A task and what it announced."""

    task: Task
    events: list[dict[str, Any]] = field(default_factory=list)

    def told(self, name: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["event"] == name]

    def go(self) -> bool:
        return train(self.task, lambda done, total: self.events.append({"event": "progress", "done": done, "total": total}))


Make = Callable[..., Trial]


@pytest.fixture
def trial(kept, tmp_path: Path) -> Make:
    """`trial(batch_size=5, ...)` trains the last stage and a head on twenty pictures; `request(events)` is asked before each step."""
    made = 0

    def make(
        request: Callable[[list[dict[str, Any]]], str | None] = lambda _events: None,
        folder: Path | None = None,
        val: int = 6,
        extensions: tuple[tuple[int, int | None], ...] = (),
        **settings: Any,
    ) -> Trial:
        nonlocal made
        made += 1
        values = {"plan": "custom", "epochs": 3, "batch_size": 5, "learning_rate": 0.01, "device": "cpu", "threads": 1} | settings
        chosen = RunSettings(**values)
        events: list[dict[str, Any]] = []

        def emit(event: str, /, **fields: Any) -> None:
            events.append({"event": event, **fields})

        context = Context(tmp_path, None, chosen, emit, lambda: request(events))  # type: ignore[arg-type]
        torch.manual_seed(0)
        model = TransferModel(load_backbone(kept).freeze(chosen.freeze), CLASSES)
        labels = np.arange(COUNT, dtype=np.int64) % CLASSES
        task = Task(
            context=context,
            settings=chosen,
            model=model,
            train=Fixed(COUNT, 1),
            labels=labels,
            val=Fixed(val, 2),
            val_labels=labels[:val],
            classes=CLASSES,
            batch=chosen.batch_size,
            length=length_of(chosen, COUNT, chosen.batch_size, extensions=extensions),
            folder=folder or tmp_path / f"checkpoint-{made}",
            device=torch.device("cpu"),
        )
        return Trial(task, events)

    return make


def results(one: Trial) -> dict[str, Tensor]:
    return checkpoint.load_best(one.task.folder)


def last(one: Trial) -> dict[str, Tensor]:
    found = checkpoint.load_last(one.task.folder)
    assert found
    return found.tensors


def close(one: dict[str, Tensor], two: dict[str, Tensor], tolerance: float) -> bool:
    """Whether the parameters are nearly the same."""
    return all(torch.allclose(one[name], two[name], atol=tolerance) for name in one if name.startswith("model."))


def equal(one: dict[str, Tensor], two: dict[str, Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize(
    ("step", "settings"),
    [
        (2, {}),
        (7, {"optimiser": "sgd", "average": 0.9, "start_pull": 0.01, "clip": 1.0}),
        (4, {"mixup": 0.2, "cutmix": 1.0, "label_smoothing": 0.1, "balance": "sampling"}),
        (
            3,
            {
                "accumulate": 2,
                "balance": "weights",
                "schedule": "one-cycle",
                "layer_decay": 0.5,
                "freeze": 4,
                "unfreeze_every": 1,
            },
        ),
        (5, {"patience": 1, "steps": 10}),
    ],
)
def test_stopped_at_any_step_it_goes_on_to_the_same_bits(trial: Make, settings: dict[str, Any], step: int) -> None:
    """Within an epoch or between two: optimiser, average, random numbers and what was counted are those it would have had."""
    whole = trial(**settings)
    whole.go()
    asked = 0

    def request(_events: list[dict[str, Any]]) -> str | None:
        nonlocal asked
        asked += 1
        return "stop" if asked > 2 * step else None  # the loop asks twice a step

    stopped = trial(request, **settings)
    with pytest.raises(Stopped):
        stopped.go()
    again = trial(folder=stopped.task.folder, **settings)
    again.go()
    assert equal(last(whole), last(again)) and equal(results(whole), results(again))
    told = stopped.told("epoch") + again.told("epoch")
    for event in [*told, *whole.told("epoch")]:
        event.pop("seconds")
    assert told == whole.told("epoch")


def test_stopped_while_it_is_scored_it_tells_the_epoch_afterwards(trial: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """All steps of the last epoch are done, its score is not: resumed, it is scored, told and kept."""
    whole = trial()
    whole.go()
    stopped = trial()
    with monkeypatch.context() as patch, pytest.raises(Stopped):
        calls: list[int] = []

        def score(task: Task) -> Any:
            calls.append(1)
            if len(calls) == 3:
                raise Stopped
            return loop_score(task)

        loop_score = loop._score
        patch.setattr(loop, "_score", score)
        stopped.go()
    assert len(stopped.told("epoch")) == 2
    again = trial(folder=stopped.task.folder)
    assert again.go() and [event["epoch"] for event in again.told("epoch")] == [3]
    assert equal(last(whole), last(again))


def test_a_batch_in_pieces_or_of_several_is_the_same_step(trial: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where memory holds one picture at a time, and where batches are accumulated, the steps are those of the whole batch."""
    sgd = {"optimiser": "sgd", "learning_rate": 0.001}  # others make large steps of the smallest gradients
    whole, accumulated, pieces = (
        trial(batch_size=10, **sgd),
        trial(batch_size=5, accumulate=2, **sgd),
        trial(batch_size=10, **sgd),
    )
    whole.go()
    accumulated.go()
    logits = FixedFeed.logits

    def narrow(self: FixedFeed, model: TransferModel, given: Tensor) -> Tensor:
        if len(given) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return logits(self, model, given)

    with monkeypatch.context() as patch:
        patch.setattr(FixedFeed, "logits", narrow)
        pieces.go()
    for other in (accumulated, pieces):
        assert close(last(whole), last(other), 1e-5)
    told = [event["message"] for event in pieces.told("notice")]
    assert len(told) == 4 and "at a time" in told[0]  # 5, 3, 2, 1
    assert len(pieces.told("epoch")) == 3


def test_memory_that_holds_no_picture_is_a_sentence(trial: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_arguments: Any) -> Tensor:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(FixedFeed, "logits", never)
    with pytest.raises(RunError) as caught:
        trial().go()
    assert caught.value.code == "out-of-memory" and caught.value.fix


def broken_at(monkeypatch: pytest.MonkeyPatch, *steps: int) -> None:
    """The loss is no number in these steps, counted over all that are tried."""
    tried = 0
    gradients = loop.gradients

    def breaking(*arguments: Any) -> tuple[Tensor, Tensor]:
        nonlocal tried
        tried += 1
        loss, hits = gradients(*arguments)
        return (loss * math.nan, hits) if tried in steps else (loss, hits)

    monkeypatch.setattr(loop, "gradients", breaking)


def test_a_loss_that_is_no_number_goes_back_once(trial: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the end of the last epoch, with a fifth of the rate from there on, and says so; the epochs are all told once."""
    one = trial(schedule="constant", warm_up=0)
    broken_at(monkeypatch, 6)
    assert one.go()
    epochs = one.told("epoch")
    assert [event["epoch"] for event in epochs] == [1, 2, 3]
    assert [event["learning_rate"] for event in epochs] == [0.01, pytest.approx(0.002), pytest.approx(0.002)]
    assert "epoch 1" in one.told("notice")[0]["message"]


def test_it_goes_back_to_the_last_epoch_whether_that_was_kept_or_not(trial: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Short epochs are not all written to the disk; where a training goes back to must not hang on the clock."""
    monkeypatch.setattr(loop, "KEEP_EPOCHS_EVERY", 1000.0)
    with monkeypatch.context() as patch:
        one = trial()
        one.task = replace(one.task, keep_best=False)
        broken_at(patch, 10)
        assert one.go() and "epoch 2" in one.told("notice")[0]["message"]
    # The same in a process that goes on from within the third epoch, where the one before it was stopped.
    stopped = trial(lambda events: "stop" if len([e for e in events if e["event"] == "progress"]) >= 9 else None)
    stopped.task = replace(stopped.task, keep_best=False)
    with pytest.raises(Stopped):
        stopped.go()
    resumed = trial(folder=stopped.task.folder)
    resumed.task = replace(resumed.task, keep_best=False)
    broken_at(monkeypatch, 1)
    assert resumed.go() and "epoch 2" in resumed.told("notice")[0]["message"]
    assert equal(last(one), last(resumed))


def test_the_second_time_it_fails_and_keeps_what_was_good(trial: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    one = trial()
    broken_at(monkeypatch, 6, 9)
    with pytest.raises(RunError) as caught:
        one.go()
    assert caught.value.code == "diverged" and len(one.told("epoch")) == 1
    assert all(torch.isfinite(tensor).all() for tensor in results(one).values())


def test_a_step_that_breaks_a_parameter_is_seen(trial: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in the very last step, whose loss was a number still, and with nothing held out to show it."""
    one = trial(val=0, epochs=1)
    take, taken = loop.take_step, []

    def breaking(task: Task, state: Any, places: Any) -> Any:
        made = take(task, state, places)
        taken.append(1)
        if len(taken) == 4:
            next(iter(state.parameters.values())).data.fill_(math.inf)
        return made

    monkeypatch.setattr(loop, "take_step", breaking)
    assert one.go() and "went back" in one.told("notice")[0]["message"]
    assert all(torch.isfinite(tensor).all() for tensor in results(one).values())


def test_finish_in_the_middle_scores_what_there_is(trial: Make) -> None:
    """The epoch under way ends where it is, is told, and is the result if it is the best."""
    one = trial(lambda events: "finish" if len([e for e in events if e["event"] == "progress"]) >= 6 else None)
    assert not one.go()
    epochs = one.told("epoch")
    assert [event["step"] for event in epochs] == [4, 6] and math.isfinite(epochs[1]["val_loss"])


def test_finish_between_two_epochs_has_the_last_one(trial: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the last epoch is the result, also one that was too short to be kept when it ended."""
    monkeypatch.setattr(loop, "KEEP_EPOCHS_EVERY", 1000.0)
    one = trial(lambda events: "finish" if [e for e in events if e["event"] == "epoch"] else None)
    one.task = replace(one.task, keep_best=False)
    start = snapshot(one.task.model)
    assert not one.go() and len(one.told("epoch")) == 1
    kept = results(one)
    assert all(not torch.equal(tensor, kept[f"model.{name}"]) for name, tensor in start.items() if name.endswith("weight"))


def test_finish_at_once_still_leaves_something(trial: Make) -> None:
    one = trial(lambda _events: "finish")
    assert not one.go() and [event["step"] for event in one.told("epoch")] == [1]


def test_patience_ends_it(trial: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two epochs without a new low, and it is over; the best epoch is the result. Nobody asked for that end: it is a whole one."""
    losses = iter([1.0, 0.5, 0.6, 0.7, 0.1])
    monkeypatch.setattr(loop, "_score", lambda _task: (next(losses), 0.5))
    one = trial(epochs=9, patience=2)
    assert one.go() and len(one.told("epoch")) == 4
    record = checkpoint._record(one.task.folder)
    assert record and record["best"] == "step-8.safetensors"
    again = trial(folder=one.task.folder, epochs=9, patience=2)
    assert again.go() and not again.told("epoch")


def test_steps_may_end_within_an_epoch(trial: Make) -> None:
    one = trial(steps=6)
    assert one.go() and [event["step"] for event in one.told("epoch")] == [4, 6]
    assert one.told("progress")[-1] == {"event": "progress", "done": 30, "total": 30}


def test_added_epochs_go_on_from_the_end(trial: Make) -> None:
    """Two more on a finished training: told after the others, from its last state, at a smaller rate."""
    one = trial(epochs=2)
    one.go()
    before = last(one)
    more = trial(folder=one.task.folder, epochs=2, extensions=((2, 2),), warm_up=0)
    assert more.go()
    assert [event["epoch"] for event in more.told("epoch")] == [3, 4]
    assert 0 < more.told("epoch")[0]["learning_rate"] < 0.003
    assert not equal(before, last(more))


def test_epochs_added_after_patience_ran_out_are_trained(trial: Make) -> None:
    """As many as were asked for, and not those that patience had spared."""
    one = trial(epochs=9, patience=2)
    assert one.go()
    told = len(one.told("epoch"))
    assert told < 9
    more = trial(folder=one.task.folder, epochs=9, patience=9, extensions=((3, told),))
    assert more.go() and [event["epoch"] for event in more.told("epoch")] == [told + 1, told + 2, told + 3]


def test_epochs_added_to_a_training_that_was_finished_early(trial: Make) -> None:
    """The epoch in which it was finished is made whole and told again, then come those that were asked for, and no others."""
    one = trial(lambda events: "finish" if len([e for e in events if e["event"] == "progress"]) >= 6 else None, epochs=9)
    assert not one.go() and [(event["epoch"], event["step"]) for event in one.told("epoch")] == [(1, 4), (2, 6)]
    more = trial(folder=one.task.folder, epochs=9, extensions=((2, 2),))
    assert more.go() and [(event["epoch"], event["step"]) for event in more.told("epoch")] == [(2, 8), (3, 12), (4, 16)]


def test_stages_begin_to_learn_one_after_the_other(trial: Make) -> None:
    """With gradual unfreezing the first epoch leaves the backbone alone, the second moves its last stage, and all are kept."""
    one = trial(freeze=3, unfreeze_every=1, epochs=1)
    start = snapshot(one.task.model)
    one.go()
    after = last(one)
    moved = {name for name, tensor in start.items() if not torch.equal(tensor, after[f"model.{name}"])}
    assert moved and all(name.startswith("target.") for name in moved)
    two = trial(folder=one.task.folder, freeze=3, unfreeze_every=1, epochs=2)
    two.go()
    moved = {name for name, tensor in start.items() if not torch.equal(tensor, last(two)[f"model.{name}"])}
    stages = two.task.model.source.stages
    prefixes = tuple(f"source.network.{prefix}" for prefix in stages[-1].prefixes)
    assert any(name.startswith(prefixes) for name in moved)
    assert all(name.startswith(("target.", *prefixes)) for name in moved)


def test_the_average_is_what_is_scored_and_kept(trial: Make) -> None:
    """The result holds both, and what is handed over is the average, which lags behind the last step."""
    one = trial(average=0.9)
    one.go()
    tensors = results(one)
    name = "target.weight"
    assert not torch.equal(tensors[f"average.{name}"], tensors[f"model.{name}"])
    put_kept(one.task.model, tensors)
    assert torch.equal(one.task.model.target.weight, tensors[f"average.{name}"])


def test_the_pull_draws_the_backbone_to_its_start(trial: Make) -> None:
    """By the gradient of half the squared distance, times the setting; the head, which starts from nothing, is not pulled."""
    one = trial(start_pull=0.5)
    state = LoopState(one.task)
    for parameter in state.parameters.values():
        parameter.data.add_(1.0)
        parameter.grad = torch.zeros_like(parameter)
    loop._pull(one.task, state)
    pulled = {name.startswith("source."): parameter.grad for name, parameter in state.parameters.items()}
    assert pulled.keys() == {True, False}
    for name, parameter in state.parameters.items():
        assert torch.allclose(parameter.grad, torch.full_like(parameter, 0.5 if name.startswith("source.") else 0.0), atol=1e-6)


def test_the_pull_is_part_of_the_training(trial: Make) -> None:
    free, drawn = trial(learning_rate=1e-4), trial(learning_rate=1e-4, start_pull=1.0)
    free.go()
    drawn.go()
    assert not equal(last(free), last(drawn))


def test_measuring_leaves_nothing(trial: Make) -> None:
    """How long a step takes is found without a step: parameters are as they were, and the training is the same."""
    one, two = trial(), trial()
    start = snapshot(one.task.model)
    assert seconds_of_step(one.task) > 0
    assert all(torch.equal(tensor, snapshot(one.task.model)[name]) for name, tensor in start.items())
    one.go()
    two.go()
    assert equal(last(one), last(two))


def test_the_classes_weigh_alike(trial: Make) -> None:
    """With one class of eighteen pictures and one of two, weights move the second one's bias as the first one's."""
    labels = np.array([0] * 18 + [1] * 2, dtype=np.int64)
    shares = {}
    for balance in ("none", "weights"):
        one = trial(balance=balance, freeze="all", batch_size=20, epochs=1, optimiser="sgd", schedule="constant", warm_up=0)
        one = Trial(replace(one.task, labels=labels), one.events)
        one.go()
        shares[balance] = last(one)["model.target.bias"]
    assert shares["none"][1] < 0 < shares["none"][0]
    assert shares["weights"][0] == pytest.approx(float(shares["weights"][1]), abs=1e-5)

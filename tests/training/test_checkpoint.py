from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from transfer_core.errors import RunError, StorageError
from transfer_core.training import checkpoint
from transfer_core.training.checkpoint import Checkpoint, last_step, load_best, load_good, load_last, save


def state(epoch: int) -> Checkpoint:
    tensors = {
        "model.target.weight": torch.full((2, 3), float(epoch)),
        "optimiser.0.step": torch.tensor(float(epoch)),
        "counter": torch.tensor(epoch),
        "half": torch.full((2,), epoch, dtype=torch.bfloat16),
    }
    return Checkpoint(epoch, epoch * 10, tensors, {"best_loss": 1 / epoch, "scheduler": epoch})


def value(tensors: dict[str, torch.Tensor]) -> float:
    return float(tensors["model.target.weight"][0, 0])


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_last_one_comes_back(tmp_path: Path) -> None:
    """Tensors of every type and all values, to the bit; before the first there is none."""
    folder = tmp_path / "checkpoint"
    assert load_last(folder) is None and last_step(tmp_path) == 0
    save(folder, state(1), best=True)
    save(folder, state(3), best=True)
    loaded = load_last(folder)
    assert loaded is not None and (loaded.epoch, loaded.step, loaded.values) == (3, 30, {"best_loss": 1 / 3, "scheduler": 3})
    assert loaded.tensors.keys() == state(3).tensors.keys()
    for name, tensor in state(3).tensors.items():
        assert torch.equal(loaded.tensors[name], tensor) and loaded.tensors[name].dtype == tensor.dtype
    assert last_step(tmp_path) == 30


def test_the_best_one_is_kept_and_the_others_are_not(tmp_path: Path) -> None:
    """Two sets of tensors on disk at most, however long the run."""
    for epoch, best in ((1, True), (2, True), (3, False), (4, False)):
        save(tmp_path, state(epoch), best)
    assert value(load_best(tmp_path)) == 2
    last = load_last(tmp_path)
    assert last is not None and value(last.tensors) == 4
    assert files(tmp_path) == ["last.json", "step-20.safetensors", "step-40.safetensors"]
    save(tmp_path, state(5), True)
    assert value(load_best(tmp_path)) == 5
    assert files(tmp_path) == ["last.json", "step-50.safetensors"]


def test_the_first_is_the_best_so_far_whatever_it_says(tmp_path: Path) -> None:
    """A first epoch whose loss is no number is still something to hand over."""
    save(tmp_path, state(1), best=False)
    assert value(load_best(tmp_path)) == 1


Break = Callable[[pytest.MonkeyPatch], None]


def _at_json(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(checkpoint, "write_json", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))


def _at_tensors(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(checkpoint, "write_bytes", lambda path, data: (path.with_name(".x.partial").write_bytes(data[:50]), 1 / 0))


def _at_removal(patch: pytest.MonkeyPatch) -> None:
    unlink = Path.unlink

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path.name.startswith("step"):
            raise KeyboardInterrupt
        unlink(path, missing_ok)

    patch.setattr(Path, "unlink", refuse)


@pytest.mark.parametrize("break_at, epoch", [(_at_tensors, 2), (_at_json, 2), (_at_removal, 3)])
def test_killed_at_any_write_there_is_a_whole_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, break_at: Break, epoch: int
) -> None:
    """Until the record names the new tensors the old checkpoint counts, best included; from then on the new one."""
    save(tmp_path, state(1), True)
    save(tmp_path, state(2), False)
    with monkeypatch.context() as patch, pytest.raises((KeyboardInterrupt, ZeroDivisionError)):
        break_at(patch)
        save(tmp_path, state(3), True)
    last = load_last(tmp_path)
    assert last is not None and last.epoch == epoch and value(last.tensors) == epoch and last.values["scheduler"] == epoch
    assert value(load_best(tmp_path)) == (1 if epoch == 2 else 3)
    save(tmp_path, state(3), True)
    save(tmp_path, state(4), False)
    last = load_last(tmp_path)
    assert last is not None and last.epoch == 4 and value(load_best(tmp_path)) == 3


def test_a_full_disk_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sentence, the earlier checkpoint, and no half-written file that eats the last free space."""
    save(tmp_path, state(1), True)
    with monkeypatch.context() as patch, pytest.raises(StorageError) as caught:
        patch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        save(tmp_path, state(2), True)
    assert caught.value.code == "disk-full"
    last = load_last(tmp_path)
    assert last is not None and last.epoch == 1
    assert files(tmp_path) == ["last.json", "step-10.safetensors"]


def test_what_a_killed_process_left_half_written_goes(tmp_path: Path) -> None:
    """A process killed while it wrote leaves a temporary file as large as the model; the next save clears it away."""
    save(tmp_path, state(1), True)
    (tmp_path / ".0123456789abcdef.partial").write_bytes(b"x" * 1000)
    save(tmp_path, state(2), True)
    assert files(tmp_path) == ["last.json", "step-20.safetensors"]


@pytest.mark.parametrize("damage", ["no tensors", "cut tensors", "no json", "list", "empty"])
def test_a_damaged_checkpoint_is_a_sentence(tmp_path: Path, damage: str) -> None:
    """A checkpoint that can't be read is a RunError that names a file, not whatever a parser raises."""
    save(tmp_path, state(1), True)
    tensors, record = tmp_path / "step-10.safetensors", tmp_path / "last.json"
    if damage == "no tensors":
        tensors.unlink()
    elif damage == "cut tensors":
        tensors.write_bytes(tensors.read_bytes()[:-4])
    else:
        record.write_text({"no json": "{", "list": "[]", "empty": "{}"}[damage])
    for read in (load_last, load_best):
        with pytest.raises(RunError) as caught:
            read(tmp_path)
        assert caught.value.file and str(tmp_path) in caught.value.message


def test_the_record_says_its_version_and_names_no_way_out(tmp_path: Path) -> None:
    """A record can be upgraded later, and can't make us read a file elsewhere."""
    save(tmp_path / "c", state(1), True)
    record = json.loads((tmp_path / "c" / "last.json").read_text())
    assert record["schema"] == 2
    save(tmp_path / "other", state(9), True)
    (tmp_path / "c" / "last.json").write_text(json.dumps(record | {"tensors": "../other/step-90.safetensors"}))
    with pytest.raises(RunError):
        load_last(tmp_path / "c")


def test_the_good_one_is_not_one_from_within_an_epoch(tmp_path: Path) -> None:
    """What a broken loss goes back to stays the end of the last epoch, best or not; three sets of tensors at most."""
    for step, (best, good) in enumerate([(True, True), (False, True), (False, False), (False, False)], 1):
        save(tmp_path, state(step), best, good)
    assert value(load_good(tmp_path).tensors) == 2 and load_good(tmp_path).values == state(2).values
    assert value(load_best(tmp_path)) == 1
    assert files(tmp_path) == ["last.json", "step-10.safetensors", "step-20.safetensors", "step-40.safetensors"]


def test_a_record_of_the_first_version_is_read(tmp_path: Path) -> None:
    """Runs that an earlier version stopped go on."""
    save(tmp_path, state(1), True)
    record = json.loads((tmp_path / "last.json").read_text())
    del record["good"]
    (tmp_path / "step-10.safetensors").rename(tmp_path / "epoch-1.safetensors")
    old = record | {"schema": 1, "tensors": "epoch-1.safetensors", "best": "epoch-1.safetensors"}
    (tmp_path / "last.json").write_text(json.dumps(old))
    last = load_last(tmp_path)
    assert last is not None and value(last.tensors) == 1 and last.values["step"] == 1
    assert load_good(tmp_path).step == 10
    save(tmp_path, state(2), False)
    assert files(tmp_path) == ["epoch-1.safetensors", "last.json", "step-20.safetensors"]


def test_the_step_that_is_gone_on_from_is_that_of_the_last_training(tmp_path: Path) -> None:
    """A plan of several trainings keeps each in a folder of its own."""
    save(tmp_path / "checkpoint" / "first", state(4), True)
    save(tmp_path / "checkpoint" / "second", state(6), True)
    assert last_step(tmp_path) == 60

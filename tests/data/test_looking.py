"""The one look at every picture: nothing twice, nothing parted, nothing stopped by a bad file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from transfer_core.data import bursts
from transfer_core.data import looking as module
from transfer_core.data.groups import kept_pairs
from transfer_core.data.looking import look
from transfer_core.data.project import Project
from transfer_core.data.scan import scan
from transfer_core.errors import StorageError


def opened(folder: Path) -> Project:
    project = Project.create("p", [folder])
    scan(project)
    return project


def save_again(file: Path, target: Path, scale: float = 0.8) -> None:
    """The same picture, smaller and at another quality."""
    with Image.open(file) as image:
        image.resize((round(image.width * scale), round(image.height * scale))).save(target, "JPEG", quality=70)


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Clouds of colour, no two alike, that are recognised when they are saved again."""
    random = np.random.default_rng(0)
    folder = tmp_path / "pictures"
    for label in ("circle", "square", "triangle"):
        (folder / label).mkdir(parents=True)
        for number in range(12):
            cells = random.integers(0, 256, (9, 12, 3), dtype=np.uint8)
            image = Image.fromarray(cells).resize((320, 240), Image.Resampling.BICUBIC)
            image.save(folder / label / f"{label}-{random.integers(10**9)}-{number:03}-.jpg", quality=90)
    return folder


def at(folder: Path, number: int) -> Path:
    """The picture of this number in a class folder."""
    return next(folder.glob(f"*-{number:03}-.jpg"))


def test_a_copy_of_a_test_picture_is_not_learnt_from(photographs: Path, tmp_path: Path) -> None:
    """Saved again in another size, it is not the same to the byte: it still never teaches, and says why."""
    folder = tmp_path / "set"
    folder.mkdir()
    photographs.rename(folder / "train")
    for label in ("circle", "square", "triangle"):
        (folder / "test" / label).mkdir(parents=True)
        at(folder / "train" / label, 11).rename(folder / "test" / label / "x.jpg")
    save_again(folder / "test" / "circle" / "x.jpg", folder / "train" / "circle" / "copy.jpg")
    project = opened(folder)
    assert project.table.left_out() == []
    assert look(project) == 37
    assert [(s.relative, s.reason) for s in project.table.left_out()] == [
        ("train/circle/copy.jpg", "the same picture is in the test set")
    ]


def test_copies_are_on_one_side_and_each_is_looked_at_once(photographs: Path) -> None:
    """Groups and splits follow what was found; the second look has nothing to do, a new picture costs only itself."""
    for number in range(12):
        save_again(at(photographs / "circle", number), photographs / "circle" / f"copy {number:03}.jpg")
    project = opened(photographs)
    assert look(project) == 48 and look(project) == 0
    samples = {s.relative: s for s in project.table.samples()}
    for number in range(12):
        one, copy = samples[f"circle/{at(photographs / 'circle', number).name}"], samples[f"circle/copy {number:03}.jpg"]
        assert (one.copies, one.group, one.split) == (copy.copies, copy.group, copy.split)
    assert len({s.split for s in samples.values()}) == 3
    save_again(at(photographs / "square", 0), photographs / "square" / "late.jpg")
    scan(project)
    assert look(project) == 1
    samples = {s.relative: s for s in project.table.samples()}
    assert samples["square/late.jpg"].copies == samples[f"square/{at(photographs / 'square', 0).name}"].copies


def test_a_broken_picture_stops_nothing(photographs: Path) -> None:
    """Its header is whole and its end is there, so only decoding tells; it is left out with its reason, now and later."""
    file = photographs / "circle" / "broken.png"
    Image.new("RGB", (64, 64), "red").save(file)
    data = file.read_bytes()
    place = data.index(b"IDAT") + 8
    file.write_bytes(data[:place] + bytes([data[place] ^ 255]) + data[place + 1 :])
    project = opened(photographs)
    assert project.table.count() == 37
    look(project)
    assert [s.relative for s in project.table.left_out()] == ["circle/broken.png"] and project.table.left_out()[0].reason
    scan(project)
    assert project.table.count() == 36 and look(project) == 0


def test_stopped_between_decoding_and_comparing(photographs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was decoded stays, and is compared the next time."""
    save_again(at(photographs / "circle", 0), photographs / "circle" / "copy.jpg")
    project = opened(photographs)

    def full(*_arguments: object, **_named: object) -> None:
        raise StorageError("no space")

    with monkeypatch.context() as patch:
        patch.setattr(module, "find_pairs", full)
        with pytest.raises(StorageError):
            look(project)
    assert look(project) == 0
    with project.table.connect() as connection:
        assert len(kept_pairs(connection, "copy")) == 1


def test_a_disk_that_was_pulled_out_spoils_nothing(photographs: Path) -> None:
    """Pictures that can't be reached for a while are left out for as long, and are back with the next scan."""
    project = opened(photographs)
    photographs.rename(photographs.with_name("away"))
    look(project)
    assert project.table.count() == 0 and "does not exist" in (project.table.left_out()[0].reason or "")
    photographs.with_name("away").rename(photographs)
    assert scan(project).images == 36 and look(project) == 36
    assert project.table.left_out() == [] and scan(project).read == 0


def test_of_what_was_compared_no_burst_is_looked_for_again(photographs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture that comes later costs its own neighbours, however many others stand in a row."""
    for number, file in enumerate(sorted(photographs.rglob("*.jpg"))):
        file.rename(file.with_name(f"{file.parent.name}_{number:04}.jpg"))
    project = opened(photographs)
    assert look(project) == 36
    Image.new("RGB", (320, 240), "red").save(photographs / "circle" / "circle_0012.jpg")
    scan(project)
    asked: list[int] = []
    likeness = bursts.likeness
    monkeypatch.setattr(
        bursts, "likeness", lambda rows, pairs, *more, **named: asked.append(len(pairs)) or likeness(rows, pairs, *more, **named)
    )
    assert look(project) == 1 and asked == [1]

"""The built-in sample set: the same each time, whole or absent, and not told apart by colour, size or shape of the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from transfer_core.data.sample_set import CLASSES, make_sample_set
from transfer_core.errors import StorageError


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_sample_set(tmp_path_factory.mktemp("set") / "samples", per_class=20)


def files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_counts_names_and_sizes(samples: Path) -> None:
    assert sorted(path.name for path in samples.iterdir()) == sorted(CLASSES)
    assert len(CLASSES) == 5
    for name in CLASSES:
        assert [path.name for path in files_of(samples / name)] == [f"{number:03}.jpg" for number in range(1, 21)]
    for path in files_of(samples):
        with Image.open(path) as picture:
            assert picture.format == "JPEG" and picture.mode == "RGB"
            assert min(picture.size) >= 224 and max(picture.size) <= 320
        assert path.stat().st_size < 60_000


def test_same_seed_gives_the_same_files_and_another_seed_others(tmp_path: Path) -> None:
    first, again = (make_sample_set(tmp_path / name, per_class=2, seed=5) for name in ("first", "again"))
    other = make_sample_set(tmp_path / "other", per_class=2, seed=6)
    contents = [[path.read_bytes() for path in files_of(folder)] for folder in (first, again, other)]
    assert contents[0] == contents[1]
    assert not set(contents[0]) & set(contents[2])
    assert len(set(contents[0])) == 10


def test_fewer_pictures_are_the_first_of_more(samples: Path, tmp_path: Path) -> None:
    few = make_sample_set(tmp_path / "few", per_class=1)
    for path in files_of(few):
        assert path.read_bytes() == (samples / path.relative_to(few)).read_bytes()


def test_progress_counts_to_the_end_and_a_second_call_does_nothing(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    target = tmp_path / "deeper" / "samples"
    folder = make_sample_set(target, per_class=2, progress=lambda done, total: told.append((done, total)))
    assert told == [(done, 10) for done in range(1, 11)]
    before = [path.stat().st_mtime_ns for path in files_of(folder)]
    make_sample_set(folder, per_class=3, progress=lambda done, total: pytest.fail("drew again"))
    assert [path.stat().st_mtime_ns for path in files_of(folder)] == before


def test_an_interrupted_drawing_leaves_nothing(tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_sample_set(tmp_path / "samples", per_class=2, progress=interrupt)
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "samples").write_text("mine")
    with pytest.raises(StorageError, match="samples"):
        make_sample_set(tmp_path / "samples", per_class=1)
    assert (tmp_path / "samples").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["samples"]


def nearest_centroid_accuracy(features: np.ndarray, labels: np.ndarray) -> float:
    """Leave-one-out accuracy of the nearest class mean, on standardised features (count, size)."""
    features = (features - features.mean(0)) / (features.std(0) + 1e-9)
    right = 0
    for index in range(len(features)):
        others = np.arange(len(features)) != index
        means = np.stack([features[others & (labels == label)].mean(0) for label in np.unique(labels)])
        right += int(np.square(means - features[index]).sum(1).argmin() == labels[index])
    return right / len(features)


def test_no_colour_or_size_gives_a_class_away(samples: Path) -> None:
    paths = files_of(samples)
    labels = np.array([CLASSES.index(path.parent.name) for path in paths])
    pictures = [np.asarray(Image.open(path), dtype=np.float64) for path in paths]
    simple = {
        "mean colour": np.array([picture.mean((0, 1)) for picture in pictures]),
        "spread of colour": np.array([picture.std((0, 1)) for picture in pictures]),
        "middle colour": np.array([picture[80:-80, 80:-80].mean((0, 1)) for picture in pictures]),
        "sides": np.array([picture.shape[:2] for picture in pictures]),
        "bytes": np.array([[path.stat().st_size] for path in paths]),
    }
    for name, features in simple.items():
        assert nearest_centroid_accuracy(features, labels) < 0.45, name

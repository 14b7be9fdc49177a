"""Archives as people make them: both kinds, wrapped, with a Mac's litter; hostile ones are in tests/faults."""

from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path

import pytest

from transfer_core.data.archives import is_archive, list_archive, read_one, title, unpack
from transfer_core.errors import DataError

FILES = {"pets/cat/1.jpg": b"one", "pets/dog/2.jpg": b"two" * 100_000, "pets/labels.csv": b"file,label\n", "pets/empty.jpg": b""}
LITTER = {"__MACOSX/pets/._1.jpg": b"x", "pets/.DS_Store": b"x", "pets/cat/Thumbs.db": b"x"}


@pytest.fixture(params=[".zip", ".ZIP", ".tar", ".tar.gz", ".tgz"])
def packed(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    file = tmp_path / f"my pets{request.param}"
    folder = tmp_path / "folder"
    for name, data in (FILES | LITTER).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    (folder / "pets" / "no files").mkdir()
    paths = sorted(folder.rglob("*"))
    if file.suffix.lower() == ".zip":
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in paths:
                archive.write(path, path.relative_to(folder))
    else:
        with tarfile.open(file, "w" if file.suffix == ".tar" else "w:gz") as archive_tar:
            for path in paths:
                archive_tar.add(path, path.relative_to(folder), recursive=False)
    return file


def test_everything_but_litter_comes_out(packed: Path, tmp_path: Path) -> None:
    """Byte for byte, told in bytes on the way; what a system left there stays behind."""
    told: list[tuple[int, int]] = []
    assert is_archive(packed) and title(packed) == "my pets"
    assert list_archive(packed) == sorted(FILES)
    into = tmp_path / "project" / "imports" / "pets"
    assert unpack(packed, into, lambda *counts: told.append(counts)) == len(FILES)
    assert {path.relative_to(into).as_posix(): path.read_bytes() for path in into.rglob("*") if path.is_file()} == FILES
    size = sum(map(len, FILES.values()))
    assert told[-1] == (size, size) and told == sorted(told)


def test_one_file_of_it(packed: Path) -> None:
    """As for a table that is looked at before anything is unpacked; none of it where it is too large."""
    assert read_one(packed, "pets/labels.csv", 1000) == FILES["pets/labels.csv"]
    assert read_one(packed, "pets/dog/2.jpg", 1000) == b""
    with pytest.raises(DataError):
        read_one(packed, "pets/gone.csv", 1000)


@pytest.mark.parametrize("name", ["folder", "a.jpg", "a.rar", "a.7z", "a.gz", "zip"])
def test_what_is_no_archive_of_ours(name: str) -> None:
    assert not is_archive(Path(name)) and title(Path(name)) == name

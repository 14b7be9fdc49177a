from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from transfer_core.data import uploads
from transfer_core.data.project import list_projects
from transfer_core.data.scan import scan
from transfer_core.data.uploads import save_upload
from transfer_core.errors import DataError
from transfer_core.places import home


def picture(value: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4), (value, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def written() -> list[str]:
    return sorted(path.relative_to(home()).as_posix() for path in home().rglob("*") if path.is_file() and "uploads" in path.parts)


def test_an_uploaded_folder_is_a_project() -> None:
    """What a browser sends of a folder becomes classes and pictures, byte for byte."""
    files = [(f"pets/{label}/{n}.png", picture(10 * n + len(label))) for label in ("cat", "birds") for n in range(3)]
    project = save_upload("pets", iter(files))
    assert project.folder.parent == home()
    assert scan(project).images == 6
    assert [count.label for count in project.table.classes()] == ["birds", "cat"]
    assert {s.path.read_bytes() for s in project.table.samples()} == {data for _name, data in files}


HOSTILE = [
    "../../../etc/cron.d/x.png",
    "/etc/passwd",
    "..\\..\\windows\\x.png",
    "C:\\Windows\\x.png",
    "\\\\server\\share\\x.png",
    "cat/../../../x.png",
    "cat/..",
    "./././x.png",
    "....//....//x.png",
    "cat/\0/x.png",
    "cat/x.png\0.jpg",
    "cat/<script>alert(1)</script>.png",
    "cat/a\nb.png",
    "cat/.. /x.png",
    "cat/x.png:stream",
    "~/x.png",
    "cat/" + "长" * 200 + ".png",
    "a/" * 500 + "x.png",
    "cat/CON.png",
    "cat/%2e%2e/x.png",
    "cat/...",
    "cat/\udcff.png",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_climbs_out(name: str, tmp_path: Path) -> None:
    """Whatever a name says, the file lies in the project's own folder, and nowhere else."""
    before = {path for path in tmp_path.rglob("*") if home() not in (path, *path.parents)}
    project = save_upload("up", [("cat/fine.png", picture(1)), (name, picture(2))])
    inside = project.folder / "uploads"
    files = [path for path in inside.rglob("*") if path.is_file()]
    assert len(files) <= 2 and inside / "cat" / "fine.png" in files
    for path in files:
        assert path.resolve().is_relative_to(inside.resolve())
        assert not any(part in ("..", ".") or part.startswith("..") for part in path.relative_to(inside).parts)
    assert {path for path in tmp_path.rglob("*") if home() not in (path, *path.parents)} == before
    scan(project)


def test_two_files_of_a_name_are_both_kept() -> None:
    """Two that come under one name don't overwrite each other."""
    project = save_upload("up", [("cat/a.png", picture(1)), ("cat/a.png", picture(2)), ("/cat/a.png", picture(3))])
    assert sorted(path.read_bytes() for path in (project.folder / "uploads" / "cat").iterdir()) == sorted(
        picture(n) for n in (1, 2, 3)
    )


def test_a_file_in_a_folders_place_stops_nothing() -> None:
    """`a` and `a/b` can't both be: both pictures are kept all the same."""
    project = save_upload("up", [("a", picture(1)), ("a/b.png", picture(2)), ("c/d.png", picture(3))])
    assert len([path for path in (project.folder / "uploads").rglob("*") if path.is_file()]) == 3


@pytest.mark.parametrize("files", [[], [("..", b"x")], [("/", b"x")]])
def test_an_upload_of_nothing_leaves_no_project(files: list[tuple[str, bytes]]) -> None:
    """Nothing usable came: said so, and no empty project is left in the list."""
    with pytest.raises(DataError) as caught:
        save_upload("up", files)
    assert caught.value.code == "empty-upload"
    assert list_projects() == []


def test_uploads_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """More files than a browser upload is for are refused with a way out, and none is silently left behind."""
    monkeypatch.setattr(uploads, "MAX_FILES", 3)
    with pytest.raises(DataError) as caught:
        save_upload("up", ((f"cat/{n}.png", b"x") for n in range(10)))
    assert caught.value.code == "too-many-files" and caught.value.fix
    assert list_projects() == []

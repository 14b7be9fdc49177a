"""Small folders that come in through the browser."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from transfer_core.data.project import Project, Source
from transfer_core.errors import DataError, storage_error
from transfer_core.files import write_bytes
from transfer_core.i18n import _

MAX_FILES = 2000
MOST_BYTES = 160  # of a name; file systems take 255


def save_upload(name: str, files: Iterable[tuple[str, bytes]]) -> Project:
    """A new project over uploaded `(name, bytes)`; names are as browsers give them, such as `folder/class/picture.jpg`.

    Names are text from outside: what could climb out of the project's folder is taken away. Raises DataError when nothing came, or more
    than `MAX_FILES`: those are too many for a browser.
    """
    project = Project.create(name, [])
    pictures = project.folder / "uploads"
    count = 0
    for given, data in files:
        parts = [_plain(part) for part in PurePosixPath(given.replace("\\", "/")).parts if part not in ("/", ".", "..")]
        if not parts:
            continue
        if count == MAX_FILES:
            project.delete()
            raise DataError(
                _("This upload has more than {most} files.").format(most=MAX_FILES),
                code="too-many-files",
                fix=_("Put the folder on the computer that runs Transfer Studio, and open it there by its path."),
            )
        target = _target(pictures, parts[-4:])
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise storage_error(error, target.parent) from error
        write_bytes(target, data)
        count += 1
    if not count:
        project.delete()
        raise DataError(
            _("No files came with this upload."),
            code="empty-upload",
            fix=_("Choose a folder that holds one sub-folder per class."),
        )
    project.sources = [Source(pictures)]
    project._write()
    return project


def _plain(part: str) -> str:
    """`part` without characters that some file system refuses and short enough for all; never empty, never a dot name."""
    text = part.encode("utf-8", "replace").decode()
    plain = re.sub(r'[\x00-\x1f<>:"|?*]', "_", text).strip(" .")
    path = PurePosixPath(plain or "_")
    return _shortened(path.stem, MOST_BYTES) + _shortened(path.suffix, MOST_BYTES // 4)


def _shortened(text: str, most: int) -> str:
    return text.encode()[:most].decode(errors="ignore")


def _target(pictures: Path, parts: list[str]) -> Path:
    """Where a file may be put: no other file lies there, or where one of its folders has to be."""
    folder = pictures
    for part in parts[:-1]:
        folder = folder / part
        while folder.is_file():
            folder = folder.with_name(folder.name + "_")
    return _free(folder / parts[-1])


def _free(path: Path) -> Path:
    number = 2
    free = path
    while free.exists():
        free, number = path.with_stem(f"{path.stem} {number}"), number + 1
    return free

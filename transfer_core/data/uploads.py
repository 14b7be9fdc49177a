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


def save_upload(name: str, files: Iterable[tuple[str, bytes]]) -> Project:
    """A new project over uploaded `(name, bytes)`; names are as browsers give them, such as `folder/class/picture.jpg`.

    Names are text from outside: what could climb out of the project's folder is taken away. Raises DataError when nothing came.
    """
    project = Project.create(name, [])
    pictures = project.folder / "uploads"
    count = 0
    for given, data in files:
        parts = [_plain(part) for part in PurePosixPath(given.replace("\\", "/")).parts if part not in ("/", ".", "..")]
        if not parts or count >= MAX_FILES:
            continue
        target = _free(pictures.joinpath(*parts[-4:]))
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise storage_error(error, target.parent) from error
        write_bytes(target, data)
        count += 1
    if not count:
        project.delete()
        raise DataError(
            _("No files came with this upload."), code="empty-upload", fix=_("Choose a folder that holds one sub-folder per class.")
        )
    project.sources = [Source(pictures)]
    project._write()
    return project


def _plain(part: str) -> str:
    """`part` without characters that some file system refuses; never empty, never a dot name."""
    return re.sub(r'[\x00-\x1f<>:"|?*]', "_", part).strip(" .")[:120] or "_"


def _free(path: Path) -> Path:
    number = 2
    free = path
    while free.exists():
        free, number = path.with_stem(f"{path.stem} {number}"), number + 1
    return free

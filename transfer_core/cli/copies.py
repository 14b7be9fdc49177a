"""Copies of pictures sorted into a folder per class; the pictures themselves stay as they are."""

from __future__ import annotations

import filecmp
import shutil
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from transfer_core.data.folder_names import folder_name
from transfer_core.errors import storage_error
from transfer_core.i18n import _

if TYPE_CHECKING:
    from transfer_core.models.predict import Prediction


def copying(answers: Iterable[Prediction], folder: Path) -> Iterator[Prediction]:
    """Copy each answered picture into the folder of its class as the answers pass; raises StorageError."""
    for answer in answers:
        if not answer.error:
            name = _("none of these") if answer.refused else answer.label or ""
            target = folder / ("_" + folder_name(name) if answer.refused else folder_name(name))
            try:
                target.mkdir(parents=True, exist_ok=True)
                copy_beside(answer.file, target)
            except OSError as error:
                raise storage_error(error, target / answer.file.name) from error
        yield answer


def copy_beside(file: Path, folder: Path) -> Path:
    """Copy `file` into `folder` without overwriting anything; a copy that is there already stays the only one."""
    for number in count(1):
        target = folder / (file.name if number == 1 else f"{file.stem} ({number}){file.suffix}")
        try:
            copy = target.open("xb")  # fails if it is there, also if somebody makes it just now
        except FileExistsError:
            if target.is_file() and filecmp.cmp(file, target, shallow=False):
                return target
            continue
        try:
            with copy, file.open("rb") as original:
                shutil.copyfileobj(original, copy)
            shutil.copystat(file, target)
        except OSError:
            target.unlink(missing_ok=True)
            raise
        return target
    raise AssertionError

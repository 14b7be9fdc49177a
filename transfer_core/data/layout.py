"""What a folder of labelled pictures looks like: a folder a class, or train / val / test above them."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from transfer_core.errors import DataError
from transfer_core.i18n import _

SPLIT_FOLDERS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
# What systems and programs leave in folders without anyone asking.
IGNORED = frozenset({"thumbs.db", "desktop.ini", "ehthumbs.db", "__macosx", "$recycle.bin"})


@dataclass(frozen=True)
class Found:
    """A file of a data folder. `reason` says why it is left out before it is even read."""

    path: Path
    relative: str
    label: str | None
    split: str | None
    reason: str | None = None


def walk(root: Path, split: str | None = None) -> Iterator[Found]:
    """Every file below `root` with its class and, where the folders say so, its split; `split` overrides what they say.

    Raises DataError when `root` is not a folder that can be read. Links that lead out of `root` are reported, not followed.
    """
    root = Path(root)
    check_folder(root)
    inner = _unwrap(root)
    folders = sorted(entry.name for entry in os.scandir(inner) if _is_folder(entry) and not _ignored(entry.name))
    tops = {name: SPLIT_FOLDERS.get(name.lower()) for name in folders}
    # A class may be called "train" (beside "bus" and "car"): these are splits only if all the folders are.
    has_splits = "train" in tops.values() and all(tops.values())
    limit = root.resolve()
    for path, parts, reason in _files(inner, limit):
        relative = path.relative_to(root).as_posix()
        given, inside = (tops.get(parts[0]), parts[1:]) if has_splits and len(parts) > 1 else (None, parts)
        if reason is None and len(inside) < 2:
            reason = _("it lies in no class folder")
        label = unicodedata.normalize("NFC", inside[0]) if len(inside) > 1 and _is_text(inside[0]) else None
        if not _is_text(relative):
            reason = _("its name is not valid text")
            relative = relative.encode("utf-8", "replace").decode()
        yield Found(path, relative, label, split or given, reason)


def check_folder(root: Path) -> None:
    """Raise DataError unless `root` is a folder that can be listed."""
    # Of os.path and not of Path, which raise for a name too long, a ring of links, or a folder above that may not be read.
    if not os.path.exists(root):  # noqa: PTH110
        raise DataError(
            _("The folder {folder} does not exist.").format(folder=root),
            code="no-such-folder",
            file=root,
            fix=_("Check the path, or pick the folder again if it was moved."),
        )
    if not os.path.isdir(root):  # noqa: PTH112
        raise DataError(
            _("{folder} is a file, not a folder.").format(folder=root),
            code="not-a-folder",
            file=root,
            fix=_("Choose the folder that holds one sub-folder per class."),
        )
    if not os.access(root, os.R_OK | os.X_OK):
        raise DataError(
            _("The folder {folder} may not be read.").format(folder=root),
            code="unreadable-folder",
            file=root,
            fix=_("Give yourself permission to read it."),
        )


def _unwrap(root: Path) -> Path:
    """The folder inside folders that hold nothing but one folder, as unpacked archives do; never a lone class."""
    inner = root
    while True:
        entries = [entry for entry in os.scandir(inner) if not _ignored(entry.name)]
        if len(entries) != 1 or not _is_folder(entries[0]) or entries[0].is_symlink():
            return inner
        below = Path(entries[0].path)
        if not os.access(below, os.R_OK | os.X_OK) or not any(_is_folder(entry) for entry in os.scandir(below)):
            return inner
        inner = below


def _files(folder: Path, limit: Path, parts: tuple[str, ...] = ()) -> Iterator[tuple[Path, tuple[str, ...], str | None]]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        yield folder, (*parts, ""), _("this folder can't be read: {reason}").format(reason=error.strerror or error)
        return
    for entry in entries:
        if _ignored(entry.name):
            continue
        path, inside = Path(entry.path), (*parts, entry.name)
        if entry.is_symlink():
            target = Path(os.path.realpath(path))
            if not target.is_relative_to(limit):
                yield path, inside, _("it is a link that leads out of the folder")
            elif _is_folder(entry):
                yield path, inside, _("it is a link to a folder")
            elif not os.path.exists(target):  # noqa: PTH110
                yield path, inside, _("it is a link to a file that does not exist")
            else:
                yield path, inside, None
        elif _is_folder(entry):
            yield from _files(path, limit, inside)
        else:
            yield path, inside, None


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # links in a ring
        return False


def _ignored(name: str) -> bool:
    return name.startswith(".") or name.lower() in IGNORED


def _is_text(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True

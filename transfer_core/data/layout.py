"""What a folder of labelled pictures looks like: a folder a class, and train / val / test above or inside the classes."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from transfer_core.data.reading import Depth
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
JOINED = " / "  # between the folders of a class that is told by all of them


@dataclass(frozen=True)
class Found:
    """A file of a data folder. `reason` says why it is left out before it is even read; `group`, what it must not be parted from."""

    path: Path
    relative: str
    label: str | None
    split: str | None
    reason: str | None = None
    group: str | None = None


@dataclass(frozen=True)
class Entry:
    """A file below a data folder: `inside` are the folders above it without those of the splits, then its name."""

    path: Path
    relative: str
    inside: tuple[str, ...]
    split: str | None
    reason: str | None


def walk(root: Path, split: str | None = None, depth: Depth = 1) -> Iterator[Found]:
    """Every file below `root` with its class and, where the folders say so, its split; `split` overrides what they say.

    The class is the folder at `depth`, 1 being the first, or the `innermost` one, or all of them `joined`.
    Raises DataError when `root` is not a folder that can be read. Links that lead out of `root` are reported, not followed.
    """
    for entry in files_below(root, split):
        label = class_of(entry.inside[:-1], depth)
        reason = entry.reason
        if reason is None and label is None:
            reason = _("it lies in no class folder")
        yield Found(entry.path, entry.relative, label, entry.split, reason)


def class_of(folders: Sequence[str], depth: Depth) -> str | None:
    """The class that the folders above a picture say, as text in one spelling; None where there is none at this depth."""
    if not folders or not all(_is_text(name) for name in folders) or (isinstance(depth, int) and len(folders) < depth):
        return None
    named = JOINED.join(folders) if depth == "joined" else folders[-1 if depth == "innermost" else depth - 1]
    return unicodedata.normalize("NFC", named)


def files_below(root: Path, split: str | None = None) -> Iterator[Entry]:
    """Every file below `root`, in a fixed order; `split` overrides what folders called train, val and test say.

    Raises DataError when `root` is not a folder that can be read.
    """
    root = Path(root)
    check_folder(root)
    inner = unwrapped(root)
    level = _split_level(inner)
    limit = root.resolve()
    above = inner.relative_to(root).parts
    for path, parts, reason in _files(inner, limit):
        # What `relative_to` says, at a fifth of its price: the name is empty for a folder that can't be read.
        relative = "/".join((*above, *parts)).rstrip("/")
        given, inside = None, parts
        if level is not None and len(parts) > level + 1:
            given, inside = SPLIT_FOLDERS.get(parts[level].lower()), (*parts[:level], *parts[level + 1 :])
        if not _is_text(relative):
            reason = _("its name is not valid text")
            relative = relative.encode("utf-8", "replace").decode()
        yield Entry(path, relative, inside, split or given, reason)


def _split_level(inner: Path) -> int | None:
    """Whether the first folders are train, val and test (0), or those inside every first one (1), or none (None)."""
    first = _folder_names(inner)
    if are_splits(first):
        return 0
    seen: set[str] = set()
    for name in first:
        below = _folder_names(inner / name)
        if not below or not all(part.lower() in SPLIT_FOLDERS for part in below):
            return None
        seen |= set(below)
    return 1 if are_splits(seen) else None


def are_splits(names: Collection[str]) -> bool:
    """Whether folders of these names divide a set.

    A class may be called "train" (beside "bus" and "car"): these are splits only if all the folders are, and one is for learning.
    """
    return "train" in {SPLIT_FOLDERS.get(name.lower()) for name in names} and all(name.lower() in SPLIT_FOLDERS for name in names)


def _folder_names(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in os.scandir(folder) if _is_folder(entry) and not ignored(entry.name))
    except OSError:  # told when its files are listed
        return []


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


def unwrapped(root: Path) -> Path:
    """The folder inside folders that hold nothing but one folder, as unpacked archives do; never a lone class."""
    inner = root
    while True:
        entries = [entry for entry in os.scandir(inner) if not ignored(entry.name)]
        if len(entries) != 1 or not _is_folder(entries[0]) or entries[0].is_symlink():
            return inner
        below = Path(entries[0].path)
        if not os.access(below, os.R_OK | os.X_OK) or not any(_is_folder(entry) for entry in os.scandir(below)):
            return inner
        inner = below


def _files(root: Path, limit: Path) -> Iterator[tuple[Path, tuple[str, ...], str | None]]:
    # By a list of open folders and not by recursion: they may be nested deeper than Python calls itself.
    opened: list[tuple[tuple[str, ...], Iterator[os.DirEntry[str]]]] = []
    enter: tuple[Path, tuple[str, ...]] | None = (root, ())
    while enter or opened:
        if enter:
            (folder, parts), enter = enter, None
            try:
                opened.append((parts, iter(sorted(os.scandir(folder), key=lambda entry: entry.name))))
            except OSError as error:
                yield folder, (*parts, ""), _("this folder can't be read: {reason}").format(reason=error.strerror or error)
            continue
        parts, entries = opened[-1]
        entry = next(entries, None)
        if entry is None:
            opened.pop()
            continue
        if ignored(entry.name):
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
            enter = path, inside
        else:
            yield path, inside, None


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # links in a ring
        return False


def ignored(name: str) -> bool:
    """Whether a file or folder of this name is hidden, or litter of a system, and not worth a word."""
    return name.startswith(".") or name.lower() in IGNORED


def _is_text(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True

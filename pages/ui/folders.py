"""Choosing a folder: by typing its path, from those used before, or by looking through this computer's disk."""

from __future__ import annotations

import os
import string
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import streamlit as st

from pages.ui.guard import guard, show_error
from pages.ui.words import one_line, plain
from transfer_core.data.archives import is_archive
from transfer_core.data.layout import check_folder
from transfer_core.data.sources import check_door, is_door
from transfer_core.errors import DataError, TransferError
from transfer_core.i18n import _, ngettext
from transfer_core.images.formats import EXTENSIONS
from transfer_core.web.access import check_disk_may_be_seen

_PLACE = "folder the browser of folders is in"
_LISTED = 300
_COUNTED = 500  # entries of a folder looked at to say what is in it


@dataclass(frozen=True)
class Inside:
    """What a first look into a folder shows, archives and tables as `doors`. `more` says that there is more than was looked at."""

    folders: list[Path]
    pictures: int
    more: bool
    doors: list[Path]


def typed_folder(text: str) -> Path:
    """The folder that somebody typed or pasted; raises DataError saying what is wrong with it."""
    folder = typed_path(text)
    if folder is None:
        raise DataError(
            _("No folder was given."),
            code="no-folder",
            fix=_("Type or paste the path of the folder with your pictures, or browse for it."),
        )
    check_folder(folder)
    return folder


def typed_place(text: str) -> Path:
    """The folder, archive or table that somebody typed or pasted; raises DataError saying what is wrong with it."""
    place = typed_path(text)
    if place is None:
        return typed_folder(text)
    check_door(place)
    return place


def typed_file(text: str) -> Path:
    """The file that somebody typed or pasted; raises DataError when there is none."""
    file = typed_path(text)
    if file is None or not file.is_file():
        raise DataError(
            _("There is no file {file}.").format(file=file) if file else _("No file was given."),
            code="no-such-file",
            file=file,
            fix=_("Type or paste the whole path of the file."),
        )
    return file


def typed_path(text: str) -> Path | None:
    """The path that somebody typed or pasted, whatever is there; None for none. Raises AccessError while the pages are shared."""
    check_disk_may_be_seen()
    text = text.strip().strip("\"'").strip()
    if text.startswith("file:"):
        text = unquote(urlsplit(text).path)
        text = text[1:] if sys.platform == "win32" else text
    return Path(os.path.abspath(os.path.expanduser(text))) if text else None  # noqa: PTH100, PTH111 (pathlib's raise for ~nobody)


def look_into(folder: Path) -> Inside:
    """The folders in `folder` and how many pictures lie beside them; raises DataError when it can't be listed."""
    check_disk_may_be_seen()
    folders, doors, pictures, seen = [], [], 0, 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                seen += 1
                if entry.name.startswith((".", "$")):
                    continue
                if _is_folder(entry):
                    folders.append(Path(entry.path))
                elif os.path.splitext(entry.name)[1].lower() in EXTENSIONS:  # noqa: PTH122 (thousands of names)
                    pictures += 1
                elif is_door(Path(entry.name)):
                    doors.append(Path(entry.path))
                if seen >= 20 * _COUNTED:
                    break
    except OSError as error:
        raise DataError(
            _("{folder} can't be looked into: {reason}.").format(folder=folder, reason=error.strerror or error),
            code="unreadable-folder",
            file=folder,
            fix=_("Choose another folder, or give yourself permission to read this one."),
        ) from error
    for found in (folders, doors):
        found.sort(key=lambda path: path.name.casefold())
    return Inside(folders[:_LISTED], pictures, len(folders) > _LISTED or seen >= 20 * _COUNTED, doors[:_LISTED])


def browse(choose: Callable[[Path], None]) -> None:
    """Open a dialog on the folders of this computer; `choose(folder)` is called with the one taken."""
    st.session_state.setdefault(_PLACE, str(start()))

    @st.dialog(_("Choose the folder with your pictures"), width="medium", icon=":material/folder_open:")
    def dialog() -> None:
        with guard():
            _draw_browser(choose)

    dialog()


def _draw_browser(choose: Callable[[Path], None]) -> None:
    place = Path(st.session_state[_PLACE])
    with st.container(horizontal=True, gap="xsmall"):
        for name, shortcut in _shortcuts():
            _place_button(plain(name), ":material/star:", shortcut, f"place-{shortcut}", type="tertiary")
    with st.container(horizontal=True, vertical_alignment="center"):
        _place_button(_("Up"), ":material/arrow_upward:", place.parent, "place-up", disabled=place.parent == place)
        st.text(one_line(place))
    try:
        inside = look_into(place)
    except TransferError as error:
        show_error(error)
        return
    st.caption(_says(inside))
    empty = not inside.folders and not inside.pictures
    if st.button(_("Open this folder"), type="primary", icon=":material/check:", disabled=empty, key="place-choose"):
        choose(place)
    if not inside.folders and not inside.doors:
        return
    with st.container(height=320, gap="xsmall"):
        for folder in inside.folders:
            _place_button(plain(folder.name) or "?", ":material/folder:", folder, f"into-{folder}", type="tertiary")
        for door in inside.doors:
            icon = ":material/folder_zip:" if is_archive(door) else ":material/table:"
            if st.button(plain(door.name) or "?", icon=icon, key=f"door-{door}", type="tertiary"):
                choose(door)
        if inside.more:
            st.caption(_("There is more here than can be listed: type the path instead."))


def _place_button(label: str, icon: str, folder: Path, key: str, **look: Any) -> None:
    st.button(label, icon=icon, key=key, on_click=_move, args=(folder,), **look)


def _says(inside: Inside) -> str:
    if inside.folders:
        names = ", ".join(plain(folder.name) for folder in inside.folders[:3])
        count = ngettext("{count} folder here", "{count} folders here", len(inside.folders)).format(count=len(inside.folders))
        return _("{count}: {names}. If each of them holds the pictures of one class, open this folder.").format(
            count=count, names=names + ("…" if len(inside.folders) > 3 else "")
        )
    if inside.pictures:
        return _(
            "Only pictures are here, no folders. If this is the folder of one class, go up one; if the file names say the class, open it."
        )
    return _("Nothing is here.")


def _move(folder: Path) -> None:
    st.session_state[_PLACE] = str(folder)


def start() -> Path:
    """Where pictures are likely to lie: where looking for them begins."""
    pictures = _home() / "Pictures"
    return pictures if pictures.is_dir() else _home()


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:
        return Path("/")


def _shortcuts() -> list[tuple[str, Path]]:
    home = _home()
    known = [(_("Home folder"), home), *((name, home / name) for name in ("Pictures", "Downloads", "Desktop", "Documents"))]
    if sys.platform == "win32":
        known += [(f"{letter}:", Path(f"{letter}:\\")) for letter in string.ascii_uppercase]
    else:
        known += [(_("Whole disk"), Path("/"))]
    return [(name, folder) for name, folder in known if folder.is_dir()]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False

"""The Settings page: the language, where things lie, and this computer in detail."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages.ui import hardware, logs, on_disk, preferences, tables, words
from pages.ui.guard import guard
from transfer_core import __version__, i18n
from transfer_core.data.project import Project
from transfer_core.i18n import _
from transfer_core.places import home, trash_folder, weights_folder
from transfer_core.web import access


def draw_language() -> None:
    """Choose the language of all pages."""
    st.header(_("Language"), anchor=False)
    spoken = i18n.language()
    st.segmented_control(
        _("Language"),
        list(i18n.LANGUAGES),
        required=True,
        format_func=i18n.LANGUAGES.__getitem__,
        label_visibility="collapsed",
        **on_disk.bound("language-choice", spoken, _save_language, default=spoken),
    )


def _save_language(code: str) -> None:
    with guard():
        preferences.save_language(code)


def draw_places(project: Project | None) -> None:
    """Say where things lie on this computer, to those who sit at it."""
    if access.current().shared:
        return
    st.header(_("Where things lie"), anchor=False)
    places: list[tuple[str, Path]] = [(_("Projects"), home())]
    if project is not None:
        places.append((_("The open project"), project.folder))
        places += [(_("Its pictures (only read)"), source.folder) for source in project.sources]
    places += [(_("Weights"), weights_folder()), (_("Trash"), trash_folder()), (_("Log of these pages"), logs.log_file())]
    tables.draw([], [(name, str(place)) for name, place in places], left=True)
    st.caption(_("What is deleted here goes to the trash folder. Empty it by hand when you need the room."))


def draw_computer() -> None:
    """Say what this computer is."""
    st.header(_("This computer"), anchor=False)
    computer = hardware.look()
    memory = _("{free} of {all} free").format(free=words.size(computer.memory_free), all=words.size(computer.memory_bytes))
    gpus = ", ".join(f"{gpu.name}, {words.size(gpu.memory_bytes)}" for gpu in computer.gpus)
    rows = [
        (_("Processor cores"), str(computer.cores)),
        (_("Memory"), memory),
        (_("Graphics card"), gpus or _("none that training can use")),
        (_("Free on disk"), words.size(computer.disk_free)),
        (_("System"), computer.platform),
        ("Transfer Studio", __version__),
        ("Python", computer.python),
        *((name, version or _("not installed")) for name, version in computer.versions.items()),
    ]
    tables.draw([], rows, left=True)
    hardware.draw_problems(computer)

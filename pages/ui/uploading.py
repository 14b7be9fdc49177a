"""Pictures sent through the browser: a field to drop them on, for a new project or into one that is open."""

from __future__ import annotations

import streamlit as st

from pages.ui import address, sending
from pages.ui.guard import guard
from transfer_core.data.project import Project
from transfer_core.i18n import _
from transfer_core.images.formats import EXTENSIONS
from transfer_core.web.projects import project_key, project_named

_COMPONENT = sending.component("uploading")


def draw_new() -> None:
    """Draw the field; what is sent makes a new project, and the page goes on to it."""
    finished = _draw("new", None, [])
    if finished:
        with guard():
            address.go("data", project_named(str(finished["project"])))


def draw(project: Project, classes: list[str]) -> None:
    """Draw the field; what is sent comes into `project`. `classes` are offered for pictures without a folder."""
    if _draw(f"into {project.folder}", project, classes):
        st.rerun()


def _draw(identity: str, project: Project | None, classes: list[str]) -> dict[str, object] | None:
    data = {
        "id": identity,
        "project": project_key(project.folder) if project else None,
        "name": project.name if project else _("pictures"),
        "classes": classes,
        "extensions": sorted(EXTENSIONS),
        "server": sending.server(),
        "words": sending.words() | _words(project is None),
    }
    result = _COMPONENT(key=f"uploading {identity}", data=data, on_finished_change=_nothing)
    finished = result.finished
    return finished if isinstance(finished, dict) and "project" in finished else None


def _nothing() -> None:
    """The page runs again for what has come; there is nothing to do before."""


def _words(new: bool) -> dict[str, str]:
    return {
        "lead": _("Drop a folder or pictures here"),
        "choose_folder": _("Choose a folder…"),
        "choose_files": _("Choose pictures…"),
        "hint": _("A folder that holds one folder per class. The pictures are copied; yours stay as they are.")
        if new
        else _("A folder that holds one folder per class, or pictures of one class. They are copied; yours stay as they are."),
        "hint_files": _("Pictures of one class at a time. They are copied; yours stay as they are."),
        "ask": _("Pictures to send: {count}. Which class do they show?"),
        "class_label": _("Class"),
        "send": _("Send"),
        "cancel": _("Cancel"),
        "stop": _("Stop"),
        "progress": _("How much has been sent"),
        "sent": _("{done} of {total} pictures sent"),
        "seconds": _("about {count} s left"),
        "minutes": _("about {count} min left"),
        "finished": _("Pictures that are here: {done} of {total}."),
        "stopped": _("Stopped. {done} of {total} pictures are here. Choose the same again to send the others."),
        "go": _("Go on to the pictures") if new else _("Show them"),
        "again": _("Choose again"),
        "refused_count": _("Not taken: {count}"),
        "not_pictures": _("Files that are no pictures and were left where they are: {count}."),
        "heic": _(
            "HEIC pictures can't be read: {count}. On the phone, choose the camera format “most compatible”, or send them as JPEG."
        ),
        "no_archives": _("Zip files can't be taken apart here yet: unpack it, and choose the folder."),
        "nothing": _("There are no pictures in it."),
    }

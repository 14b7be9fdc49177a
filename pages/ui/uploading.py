"""Pictures sent through the browser: a field to drop them on, for a new project or into one that is open."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from pages.ui import address, reading, sending
from pages.ui.guard import guard
from transfer_core.data.project import Project
from transfer_core.data.reading import Source
from transfer_core.i18n import _
from transfer_core.images.formats import EXTENSIONS, PHONE_EXTENSIONS
from transfer_core.web.projects import project_key, project_named

_UNCLEAR = "what was sent and can be read in several ways"
_COMPONENT = sending.component("uploading")


def draw_new() -> None:
    """Draw the field; what is sent makes a new project, and the page goes on to it."""
    _follow(_draw("new", None, []), [], lambda project: address.go("data", project))


def draw(project: Project, classes: list[str]) -> None:
    """Draw the field; what is sent comes into `project`. `classes` are offered for pictures without a folder."""
    _follow(_draw(f"into {project.folder}", project, classes), classes, lambda project: st.rerun())


def _follow(finished: dict[str, object] | None, classes: list[str], go: Callable[[Project], None]) -> None:
    """Go on to what has come; where it is unclear how its classes are told, ask first."""
    if finished:
        st.session_state[_UNCLEAR] = (str(finished["project"]), finished.get("unclear"))
    if _UNCLEAR not in st.session_state:
        return
    with guard():
        key, folder = st.session_state[_UNCLEAR]
        project = project_named(key)
        source = next((source for source in project.sources if source.folder == project.folder / str(folder)), None)
        if source is None or _read(project, source, classes):
            del st.session_state[_UNCLEAR]
            go(project)


def _read(project: Project, source: Source, classes: list[str]) -> bool:
    """Ask how the classes of what came are told; returns whether that was said."""
    from transfer_core.data import scanning  # here: it loads NumPy, which the home page does without

    # What is unpacked is not kept packed.
    place = source.folder if source.folder.is_dir() else source.place
    with st.container(border=True):
        st.subheader(_("How are these pictures sorted?"), anchor=False)
        chosen = reading.choose(place, reading.understood(place), f"sent {source.folder}", classes or None)
        if st.button(_("Read them so"), type="primary", icon=":material/check:", disabled=not chosen, key="read-so") and chosen:
            project.read_as(source.folder, chosen.reading)
            scanning.start(project)
            return True
        if chosen:
            reading.show_pictures(place, chosen)
    return False


def _draw(identity: str, project: Project | None, classes: list[str]) -> dict[str, object] | None:
    data = {
        "id": identity,
        "project": project_key(project.folder) if project else None,
        "name": project.name if project else _("pictures"),
        "classes": classes,
        "extensions": sorted(EXTENSIONS),
        "phone": sorted(PHONE_EXTENSIONS),
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
        "choose_files": _("Choose pictures or a zip…"),
        "hint": _("A folder that holds one folder per class, a zip of it, or pictures of one class. Yours stay as they are."),
        "hint_files": _("Pictures of one class at a time, or a zip of folders. Yours stay as they are."),
        "ask": _("Pictures to send: {count}. Which class do they show?"),
        "class_label": _("Class"),
        "send": _("Send"),
        "cancel": _("Cancel"),
        "stop": _("Stop"),
        "progress": _("How much has been sent"),
        "sent": _("{done} of {total} sent"),
        "seconds": _("about {count} s left"),
        "minutes": _("about {count} min left"),
        "finished": _("{done} of {total} have come."),
        "stopped": _("Stopped. {done} of {total} have come. Choose the same again to send the others."),
        "go": _("Go on to the pictures") if new else _("Show them"),
        "again": _("Choose again"),
        "refused_count": _("Not taken: {count}"),
        "not_pictures": _("Files that are no pictures and were left where they are: {count}."),
        "heic": _(
            "HEIC pictures can't be read: {count}. On the phone, choose the camera format “most compatible”, or send them as JPEG."
        ),
        "archives_apart": _("Zip files among the pictures, to be sent by themselves: {count}."),
        "nothing": _("There are no pictures in it."),
    }

"""Pictures taken with a camera of this device, into a class, while a button is held."""

from __future__ import annotations

import streamlit as st

from pages.ui import address, sending
from pages.ui.guard import guard
from transfer_core.data.project import Project
from transfer_core.i18n import _
from transfer_core.web.projects import project_key

_COMPONENT = sending.component("camera")


def draw_new() -> None:
    """Draw the way to a new project whose pictures the camera will take."""
    st.markdown(_("Take the pictures now, with the camera of this computer or phone: hold a button, and they go into the class."))
    with st.form("camera-project", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input(_("Name of the project"), placeholder=_("cups and glasses"), max_chars=100, key="camera-name")
        pressed = st.form_submit_button(_("Use the camera"), icon=":material/photo_camera:")
    if pressed:
        with guard():
            address.go("data", Project.create(name.strip() or _("camera"), []))


def draw(project: Project, classes: list[str]) -> None:
    """Draw the camera; what it takes comes into `project`. `classes` are offered, others can be named."""
    data = {
        "project": project_key(project.folder),
        "classes": classes,
        "server": sending.server(),
        "words": sending.words() | _words(),
    }
    result = _COMPONENT(key=f"camera {project.folder}", data=data, on_arrived_change=_nothing)
    if result.arrived:
        st.rerun()


def _nothing() -> None:
    """The page runs again for what has come; there is nothing to do before."""


def _words() -> dict[str, str]:
    return {
        "lead": _("The pictures stay on the computer that runs Transfer Studio."),
        "turn_on": _("Turn the camera on"),
        "turn_off": _("Turn the camera off"),
        "class_label": _("Class that the pictures show"),
        "device_label": _("Camera"),
        "hold": _("Hold to take pictures"),
        "hint": _(
            "Several short bursts, each from another side and before another background, teach more than one long burst. "
            "With the keyboard, hold the space bar."
        ),
        "take": _("Take pictures"),
        "camera": _("Camera {count}"),
        "video": _("What the camera sees"),
        "last": _("The last pictures"),
        "taken": _("{name}: {count} taken"),
        "no_class": _("First say which class the pictures show."),
        "camera_refused": _(
            "The browser does not let this page see the camera. Allow it beside the address, and reload the page, or take pictures "
            "one by one:"
        ),
        "camera_busy": _("Another program is using the camera. Close it, and reload the page, or take pictures one by one:"),
        "camera_missing": _("This browser shows no live camera here. Take pictures one by one with the camera app:"),
    }

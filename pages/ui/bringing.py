"""More pictures for a project that is open: from this computer's disk, sent through the browser, or taken with the camera."""

from __future__ import annotations

import streamlit as st

from pages.ui import adding, camera, uploading
from transfer_core.data.project import Project
from transfer_core.i18n import _
from transfer_core.web import access


def began_empty(project: Project) -> bool:
    """Whether nothing had been given to the project yet when this browser came to it.

    The doors stand open then, above the rest, and stay there: a camera must not move away under the hand that holds its button.
    """
    key = f"began empty {project.folder}"
    if key not in st.session_state:
        st.session_state[key] = not project.sources
    return bool(st.session_state[key])


def draw(project: Project) -> None:
    """Draw the doors."""
    classes = [count.label for count in project.table.classes()]
    opened = began_empty(project)
    st.header(_("Add pictures"), anchor=False)
    if not access.current().shared:
        adding.draw(project, classes)
    with st.expander(
        _("Take pictures with the camera"), icon=":material/photo_camera:", expanded=opened, on_change="rerun", key="add-camera"
    ) as photos:
        if photos.open:
            camera.draw(project, classes)
    with st.expander(
        _("Send pictures through the browser"), icon=":material/upload:", expanded=opened, on_change="rerun", key="add-upload"
    ) as upload:
        if upload.open:
            uploading.draw(project, classes)

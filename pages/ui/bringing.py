"""More pictures for a project that is open: sent through the browser, or taken with the camera."""

from __future__ import annotations

import streamlit as st

from pages.ui import camera, uploading
from transfer_core.data.project import Project
from transfer_core.i18n import _


def draw(project: Project) -> None:
    """Draw the doors; they stand open while the project has no pictures."""
    classes = [count.label for count in project.table.classes()]
    # What is opened stays open: pictures that came would else close the door behind which more are on their way.
    empty = st.session_state.setdefault(f"began empty {project.folder}", not classes)
    st.header(_("Add pictures"), anchor=False)
    with st.expander(
        _("Take pictures with the camera"), icon=":material/photo_camera:", expanded=empty, on_change="rerun", key="add-camera"
    ) as photos:
        if photos.open:
            camera.draw(project, classes)
    with st.expander(
        _("Send pictures through the browser"), icon=":material/upload:", expanded=empty, on_change="rerun", key="add-upload"
    ) as upload:
        if upload.open:
            uploading.draw(project, classes)

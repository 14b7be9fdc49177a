"""Home: open pictures, go on with a project, see what this computer is."""

import streamlit as st

from pages.ui import frame, hardware, opening, projects, sharing
from transfer_core.i18n import _

with frame.page("home", needs_project=False):
    frame.heading(
        _("Teach your computer to tell pictures apart"),
        _("Give it a folder of pictures sorted by kind. It learns from them, tells you how often it is right, and you keep it."),
    )
    opening.draw_unclear()
    own, sample = st.columns([5, 3])
    with own:
        opening.draw()
    with sample:
        opening.draw_sample()
    sharing.draw()
    projects.draw()
    hardware.draw_summary()

"""Runs: every training of the project, how it stands, and what can be done with it."""

from pages.ui import frame, runs
from transfer_core.i18n import _

with frame.page("runs") as here:
    frame.heading(_("Trainings of this project"), _("A run is one training, with its settings, its curves and its model."))
    runs.draw(here.project)

"""Results: how often the model is right, class by class, what it confuses, and the pictures it got wrong."""

from pages.ui import frame, results
from transfer_core.i18n import _

with frame.page("results") as here:
    frame.heading(_("How good it is"), _("Measured on pictures that the model did not learn from."))
    results.draw(here.project, here.run)

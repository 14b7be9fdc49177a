"""Try: ask the model about pictures, and take the model away."""

from pages.ui import automatic, frame, trying
from transfer_core.i18n import _

with frame.page("try") as here:
    frame.heading(_("Try your model"), _("Give it pictures it has never seen, and see how sure it is of each class."))
    automatic.draw(here.project, "try")
    trying.draw(here.project, here.run)

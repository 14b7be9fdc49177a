"""Settings: the language, where things lie, where weights come from, and what this computer is."""

from pages.ui import automatic, cache_budget, frame, housekeeping, mirror, sharing
from transfer_core.i18n import _

with frame.page("settings", needs_project=False) as here:
    frame.heading(
        _("Settings"),
        _("The language, where things lie, and what this computer is. Light and dark are in the menu at the top right."),
    )
    housekeeping.draw_language()
    sharing.draw()
    housekeeping.draw_places(here.project)
    cache_budget.draw()
    mirror.draw()
    automatic.draw_preference()
    housekeeping.draw_computer()

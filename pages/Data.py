"""Data: the pictures by class, how many there are, and what was left out and why."""

from pages.ui import automatic, frame, samples, sources, steps
from transfer_core.i18n import _

with frame.page("data") as here:
    frame.heading(
        _("Your pictures"),
        _("What was found, class by class. Most pictures teach; some are held out, to test on what was never learned from."),
    )
    if sources.draw_missing(here.project) and samples.draw_scan(here.project):
        counts = here.project.table.classes()
        ready = samples.draw_verdict(here.project, counts)
        steps.forward(_("Next: train"), "train", here.project, disabled=not ready)
        automatic.draw(here.project, "data")
        samples.draw_counts(counts)
        samples.draw_pictures(here.project, counts)
        samples.draw_left_out(here.project)

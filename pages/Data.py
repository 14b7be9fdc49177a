"""Data: the pictures by class, how many there are, and what was left out and why."""

from pages.ui import automatic, bringing, dividing, findings, frame, looking, samples, sources, steps
from transfer_core.i18n import _

with frame.page("data") as here:
    frame.heading(
        _("Your pictures"),
        _("What was found, class by class. Most pictures teach; some are held out, to test on what was never learned from."),
    )
    began_empty = bringing.began_empty(here.project)
    if began_empty:
        bringing.draw(here.project)
    if sources.draw_missing(here.project) and samples.draw_scan(here.project):
        counts = here.project.table.classes()
        if counts or not began_empty:
            ready = samples.draw_verdict(here.project, counts)
            steps.forward(_("Next: train"), "train", here.project, disabled=not ready)
            automatic.draw(here.project, "data")
            findings.draw(here.project, counts)
            looking.draw(here.project, counts)
            dividing.draw(here.project)
            samples.draw_left_out(here.project)
    if not began_empty:
        bringing.draw(here.project)

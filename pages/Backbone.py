"""Backbone: the pretrained network that training starts from."""

from pages.ui import backbones, choosing, downloads, drafts, frame, own_weights, steps
from transfer_core.i18n import _

with frame.page("backbone") as here:
    frame.heading(
        _("What training starts from"),
        _(
            "A backbone is a network that has already learned to see, on very many pictures. Training only teaches it your "
            "classes. The one that is chosen is a good start: you can go on."
        ),
    )
    settings = drafts.read(here.project)
    rows = backbones.rows_of(here.project, settings)
    backbones.draw_chosen(rows, settings)
    steps.forward(_("Next: train"), "train", here.project)
    choosing.draw(here.project, rows, settings)
    backbones.draw_catalogue(here.project, rows, settings)
    own_weights.draw(here.project, settings)
    downloads.watch_others()

"""Backbone: the pretrained network that training starts from."""

from pages.ui import backbones, downloads, frame, steps
from transfer_core.i18n import _

with frame.page("backbone") as here:
    frame.heading(
        _("What training starts from"),
        _(
            "A backbone is a network that has already learned to see, on very many pictures. Training only teaches it your "
            "classes. The one that is chosen is a good start: you can go on."
        ),
    )
    chosen = backbones.draw_chosen(here.project)
    steps.forward(_("Next: train"), "train", here.project)
    backbones.draw_choice(here.project, chosen)
    backbones.draw_own_file(here.project)
    downloads.watch_others()

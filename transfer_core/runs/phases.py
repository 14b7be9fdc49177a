"""What the parts of a run are called, for people."""

from __future__ import annotations

from transfer_core.i18n import _


def phase_title(name: str) -> str:
    """The title of phase `name`; the name itself for one that a newer program wrote."""
    titles = {
        "weights": _("Getting the weights"),
        "graph": _("Preparing the backbone"),
        "scan": _("Looking through the pictures"),
        "look": _("Looking for pictures that show the same"),
        "decode": _("Reading the pictures"),
        "features": _("Computing features"),
        "head": _("Fitting the head"),
        "boundary": _("Looking at each picture in several ways"),
        "tail": _("Training the last stages"),
        "full": _("Training all stages"),
        "train": _("Training"),
        "choose": _("Choosing the best model"),
        "evaluate": _("Evaluating"),
        "map": _("Arranging the pictures"),
        "copy": _("Copying the pictures"),
    }
    return titles.get(name, name)

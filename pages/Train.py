"""Train: one button; then how far it is, and in the end how good the result is and a place to try it."""

from pages.ui import frame, training

with frame.page("train") as here:
    training.draw(here.project, here.run)

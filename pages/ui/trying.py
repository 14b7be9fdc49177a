"""The Try page: drop pictures, look at held-out ones, and keep the model."""

from __future__ import annotations

import streamlit as st

from pages.ui import answers, keeping, models, samples, scores
from pages.ui.guard import guard
from transfer_core.data.project import Project
from transfer_core.i18n import _
from transfer_core.runs.folder import Run

_PAGE = 6


def draw(project: Project, run: Run | None) -> None:
    """Draw the page for the model of the chosen training."""
    chosen = models.choose("try", project, run)
    if chosen is None:
        return
    answers.draw_drop_area(project, chosen)
    with guard():
        _held_out(project, chosen)
    st.header(_("Keep the model"), anchor=False)
    if chosen.automatic:
        st.markdown(_("This one changes whenever your pictures do. Download it as it is now, or train one that stays."))
        keeping.draw_download(chosen, project.name)
    else:
        keeping.draw_model(chosen, project.name)


def _held_out(project: Project, run: Run) -> None:
    results = scores.results_of(run)
    if not results.answered:
        return
    st.header(_("Or look at pictures that were held out"), anchor=False)
    label = samples.choose_class(sorted({answer.label for answer in results.answered}), "tried-class")
    shown = [answer for answer in results.answered if answer.label == label]
    page = st.pagination(-(-len(shown) // _PAGE), key=f"tried-{label}") if len(shown) > _PAGE else 1
    answers.draw_answered(project, results, shown[(page - 1) * _PAGE : page * _PAGE])

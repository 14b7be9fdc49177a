"""Which of a project's models a page is about."""

from __future__ import annotations

import streamlit as st

from pages.ui import address, scores, watch, words
from transfer_core.data.project import Project
from transfer_core.i18n import _
from transfer_core.runs import automatic
from transfer_core.runs.folder import Run, list_runs


def choose(page: str, project: Project, run: Run | None) -> Run | None:
    """The training whose model `page` is about: the address's, else the newest; None, with what to do, when there is none.

    The automatic model can only be tried, and stands behind those the user trained.
    """
    ready = [each for each in list_runs(project.folder) if watch.has_model(each)]
    if page == "try" and (quick := automatic.model_of(project.folder)):
        ready.append(quick)
    if run is not None and run.id not in [each.id for each in ready]:
        st.info(_("This training has no model yet. The Train page shows how it stands."), icon=":material/info:")
        if st.button(_("Go to the training"), type="primary", icon=":material/model_training:"):
            address.go("train", project, run)
        return None
    if not ready:
        _nothing_yet(project)
        return None
    chosen = run or ready[0]
    if len(ready) > 1:
        by_id = {each.id: each for each in ready}
        ids = list(by_id)
        picked = st.selectbox(_("Which training"), ids, index=ids.index(chosen.id), format_func=lambda key: _describe(by_id[key]))
        if picked != chosen.id:
            address.go(page, project, by_id[picked])
    return chosen


def _describe(run: Run) -> str:
    if run.automatic:
        return " · ".join(filter(None, [_("Automatic model, follows your pictures"), scores.short(run)]))
    return " · ".join(filter(None, [words.one_line(run.name), words.moment(run.created), scores.short(run)]))


def _nothing_yet(project: Project) -> None:
    st.info(_("There is no trained model in this project yet."), icon=":material/info:")
    if st.button(_("Train one"), type="primary", icon=":material/model_training:"):
        address.go("train", project)

"""Looking at the pictures and changing what they are taken for: by class, one by one, on a map; and taking them elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages.ui import browse, contact_sheet, editing, exporting, similarity
from transfer_core.data.project import Project
from transfer_core.data.samples import ClassCount
from transfer_core.i18n import _


def draw(project: Project, counts: Sequence[ClassCount]) -> None:
    """Draw the choice of a view and the chosen one; the others cost nothing."""
    if not counts and not project.table.count(state=None):
        return
    st.header(_("Look and repair"), anchor=False)
    titles = {"classes": _("Classes"), "pictures": _("Pictures"), "map": _("Map"), "export": _("Save a copy")}
    icons = {"classes": "category", "pictures": "grid_view", "map": "scatter_plot", "export": "drive_file_move"}
    # Not as the widget's default: a finding, or a class, may have asked for another view.
    named = st.query_params.get("view")
    st.session_state.setdefault("view", named if named in titles else "classes")
    view = st.segmented_control(
        _("How to look at the pictures"),
        list(titles),
        required=True,
        format_func=lambda name: f":material/{icons[name]}: {titles[name]}",
        key="view",
        label_visibility="collapsed",
    )
    if view and view != named:
        st.query_params["view"] = view  # a reload shows the same again
    editing.draw_history(project)
    if view == "pictures":
        browse.draw(project, counts)
    elif view == "map":
        similarity.draw(project, counts)
    elif view == "export":
        exporting.draw(project)
    else:
        contact_sheet.draw(project, counts)

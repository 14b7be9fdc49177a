"""How the pictures are divided into those to learn from, to check on and to test on; and dividing them otherwise."""

from __future__ import annotations

import streamlit as st

from pages.ui.guard import guard
from transfer_core.data.project import MOST_HELD_OUT, Project
from transfer_core.data.split import Shares
from transfer_core.i18n import _

_MOST = int(100 * MOST_HELD_OUT)


def draw(project: Project) -> None:
    """Say how the pictures are divided, and offer other shares."""
    from transfer_core.data.division import division

    with st.expander(
        _("How the pictures are divided"), icon=":material/call_split:", on_change="rerun", key="dividing"
    ) as expander:
        if not expander.open:
            return
        for sentence in division(project):
            st.markdown(sentence)
        _form(project)


def _form(project: Project) -> None:
    now = project.shares
    with st.form("divide", border=False):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            test = st.slider(_("Kept for testing, of each class"), 0, _MOST, round(100 * now.test), 5, format="%d %%", width=220)
            val = st.slider(_("Held back for checking"), 0, _MOST, round(100 * now.val), 5, format="%d %%", width=220)
            seed = st.number_input(
                _("Lot number"),
                0,
                2**31 - 1,
                now.seed,
                width=150,
                help=_("The same number always draws the same pictures (the seed). Another one draws others."),
            )
        submitted = st.form_submit_button(_("Divide anew"), icon=":material/shuffle:")
    st.caption(
        _(
            "What your folders say stays, and so does what you moved by hand. Models that are there keep the scores they got, "
            "on the pictures that were kept for testing then: compare only models that were tested on the same pictures."
        )
    )
    if submitted:
        with guard():
            project.divide(Shares(val / 100, test / 100, int(seed)))
            st.toast(_("The pictures are divided anew."), icon=":material/check:")
            st.rerun()

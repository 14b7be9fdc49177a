"""The Settings page's part about what projects keep on the disk to be faster: how much, how much it may be, and all of it freed."""

from __future__ import annotations

import streamlit as st

from pages.ui import words
from pages.ui.guard import guard
from transfer_core.data import caches
from transfer_core.i18n import _
from transfer_core.web import access


def draw() -> None:
    """Draw it for those who sit at this computer: its disk is nobody else's."""
    if access.current().shared:
        return
    st.header(_("Room on the disk"), anchor=False)
    st.caption(
        _(
            "Decoded pictures, features and the like are kept, so that nothing is computed twice. Over this size, what was used longest "
            "ago is freed, and computed again when it is needed. Your pictures, trainings and models are never touched."
        )
    )
    said = st.empty()
    with st.form("cache-budget", border=False):
        chosen = st.number_input(
            _("At most, for all projects together (GB)"),
            float(caches.FEWEST_GIGABYTES),
            float(caches.MOST_GIGABYTES),
            round(max(float(caches.FEWEST_GIGABYTES), caches.budget() / caches.GIGABYTE), 1),
            1.0,
            format="%.1f",
            key="cache-gigabytes",
        )
        pressed = st.form_submit_button(_("Save the size"), icon=":material/check:", key="save-cache-gigabytes")
    if pressed:
        with guard():
            caches.choose_budget(float(chosen))
            st.success(_("Saved."), icon=":material/check_circle:")
    if st.button(_("Free all of it"), icon=":material/mop:", key="free-caches"):
        with guard():
            st.success(_("{size} freed.").format(size=words.size(caches.free_all())), icon=":material/check_circle:")
    kept = sum(store.bytes for store in caches.stores())
    said.text(_("{size} are kept now.").format(size=words.size(kept)))

"""The field on the Settings page for a mirror of weights."""

from __future__ import annotations

import os

import streamlit as st

from pages.ui.guard import guard
from pages.ui.words import plain
from transfer_core.backbones.published import MIRROR, choose_mirror, mirror
from transfer_core.i18n import _
from transfer_core.web import access


def draw() -> None:
    """Draw the mirror that weights are taken from, to change or, where the environment sets it, to read.

    A mirror may be a folder of this computer, so it is not for those who joined over the network.
    """
    if access.current().shared:
        return
    st.header(_("Where weights come from"), anchor=False)
    st.caption(
        _(
            "Weights are downloaded from their makers' servers. If this computer can't reach those, or is not to, give a mirror: "
            "a web address or a folder that holds the same files. Each file is checked all the same."
        )
    )
    title = _("Mirror of weights")
    if os.environ.get(MIRROR):
        st.text_input(title, mirror(), disabled=True, key="mirror-set")
        st.caption(
            _(
                "Whoever set up this computer has set it, by the environment variable {name}; only there can it be changed."
            ).format(name=f"`{MIRROR}`")
        )
        return
    with st.form("mirror", border=False):
        typed = st.text_input(title, mirror(), key="mirror-text", placeholder=_("none: straight from their makers"))
        pressed = st.form_submit_button(_("Save the mirror"), icon=":material/check:", key="save-mirror")
    if pressed:
        with guard():
            choose_mirror(typed)
            st.success(
                _("Saved: weights come from {mirror}.").format(mirror=plain(mirror())) if mirror() else _("Saved: no mirror."),
                icon=":material/check_circle:",
            )

"""How others join while the pages are shared: a code for their phone, the link, and what their browser will say."""

from __future__ import annotations

import html

import streamlit as st

from transfer_core.i18n import _
from transfer_core.web import access

_STYLE = "width: min(14rem, 100%); image-rendering: pixelated; border-radius: 0.5rem; display: block"


def draw() -> None:
    """Draw the code and the link, where the pages are shared."""
    if not access.current().shared:
        return
    from transfer_core.web import sharing

    ours = sharing.read()
    with st.expander(_("Let a phone join"), icon=":material/qr_code_2:"):
        st.markdown(_("Scan this code with the camera of a phone that is on the same network:"))
        picture = html.escape(sharing.code_as_picture(ours.links[0]), quote=True)
        st.html(f'<img src="{picture}" alt="{html.escape(_("Code with the link to these pages"), quote=True)}" style="{_STYLE}">')
        st.markdown(_("Or open one of these links there:") if len(ours.links) > 1 else _("Or open this link there:"))
        st.code("\n".join(ours.links), language=None, wrap_lines=True)
        st.markdown(
            _(
                "The phone will warn that it does not know the certificate: it was made on this computer, by nobody else. Have the "
                "certificate shown, compare its SHA-256 fingerprint with this one, and go on if they are the same:"
            )
        )
        st.code(ours.fingerprint, language=None, wrap_lines=True)
        st.caption(_("Whoever has the link can use these pages until they are closed. Show it only to people you trust."))

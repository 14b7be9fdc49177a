"""The page server: the pages, with our own routes beside them and our guard before them."""

import sys
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

from pages.ui import presses
from transfer_core.web import access, guarding, sharing, uploads

presses.keep_all()
access.begin(
    st.get_option("server.allowedHosts"),
    st.get_option("server.port"),
    key=sharing.link_key() if sharing.OPTION in sys.argv else None,
)

app = st.App(Path(__file__).with_name("app.py"), routes=uploads.routes(), middleware=[Middleware(guarding.Guard)])

"""The server: ``streamlit run app.py``. The interface itself starts in ``isoflop.ui.main``."""

import streamlit as st

from isoflop.ui import server

app = st.App(server.MAIN_SCRIPT, **server.OPTIONS)

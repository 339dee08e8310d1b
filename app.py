"""The server: ``streamlit run app.py``. The interface itself starts in ``isoflop.ui.main``."""

import streamlit as st

from isoflop.ui import server

app = st.App(
    server.MAIN_SCRIPT,
    routes=server.ROUTES,
    middleware=server.MIDDLEWARE,
    lifespan=server.lifespan,
    on_script_error=server.on_script_error,
)

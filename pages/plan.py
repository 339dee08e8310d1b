"""Plan: from hardware, time, storage and money to the run that should be trained."""

import streamlit as st

from isoflop.ui import shell
from isoflop.ui.plan import controls as plan_controls
from isoflop.ui.plan import page as plan_page
from isoflop.ui.plan import results as plan_results
from isoflop.ui.plan import tabs as plan_tabs

with shell.page("plan"):
    with st.sidebar:
        chosen = plan_controls.everything()
    shown = plan_results.view(chosen)
    plan_page.show_plan(shown)
    plan_page.show_charts(shown)
    plan_page.show_notices(shown)
    plan_tabs.show(shown)

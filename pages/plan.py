"""Plan: from hardware, time, storage and money to the run that should be trained."""

import streamlit as st

from isoflop.ui import plan_controls, plan_page, plan_results, plan_tabs, shell

with shell.page("plan"):
    with st.sidebar:
        chosen = plan_controls.everything()
    shown = plan_results.view(chosen)
    plan_page.show_plan(shown)
    plan_page.show_charts(shown)
    plan_page.show_notices(shown)
    plan_tabs.show(shown)

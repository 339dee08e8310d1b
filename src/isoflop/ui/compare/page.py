"""The Compare page: which law, which family, and how far any of them may be believed."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from isoflop.language import gettext as _
from isoflop.language import lazy_gettext
from isoflop.ui import inputs, messages
from isoflop.ui.compare import approaches as compare_approaches
from isoflop.ui.compare import backtest as compare_backtest
from isoflop.ui.compare import downstream as compare_downstream
from isoflop.ui.compare import families as compare_families
from isoflop.ui.compare import laws as compare_laws
from isoflop.ui.compare import published as compare_published
from isoflop.ui.compare import view as compare_view
from isoflop.ui.compare.view import View
from isoflop.ui.data import understood

SECTIONS = {
    "laws": lazy_gettext("Laws"),
    "families": lazy_gettext("Families"),
    "published-fits": lazy_gettext("Published fits"),
    "compute-optimal-size": lazy_gettext("Compute-optimal size"),
    "downstream": lazy_gettext("Downstream"),
    "backtest": lazy_gettext("Backtest"),
}
_DRAW: dict[str, Callable[[View], None]] = {
    "laws": compare_laws.show,
    "families": compare_families.show,
    "published-fits": compare_published.show,
    "compute-optimal-size": compare_approaches.show,
    "downstream": compare_downstream.show,
    "backtest": lambda _shown: compare_backtest.show(),
}
OF_LOSS = frozenset({"laws", "families", "published-fits", "compute-optimal-size"})
"""Sections that need a table with losses."""


def show() -> None:
    """Draw the controls and one question at a time."""
    with st.sidebar:
        shown = compare_view.view()
    understood.show(shown.choice.id)
    name, tab = inputs.tabs(SECTIONS, key="compare")
    with tab, messages.boundary():
        if name in OF_LOSS and "loss" not in shown.table.included():
            st.info(_("This table holds no losses. Its accuracies are under *Downstream*."))
        else:
            _DRAW[name](shown)

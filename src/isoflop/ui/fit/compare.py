"""Two fits side by side: all rows, and without some of them."""

from __future__ import annotations

import streamlit as st

from isoflop import plot
from isoflop.language import gettext as _
from isoflop.language import ngettext as n_
from isoflop.planning.refits import Change
from isoflop.plot import APP
from isoflop.ui import panels
from isoflop.ui.fit import view as fit_view
from isoflop.ui.fit.view import LEVEL, View


def show(before: View, after: View) -> None:
    """Draw the table of both fits, and the loss along the compute-optimal models."""
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _table(before, after)
    with right:
        _curves(before, after)


def _table(before: View, after: View) -> None:
    found = fit_view.refit_changes(before.setup, after.setup, before.target, level=LEVEL)
    n_left_out = before.fit.n_rows - after.fit.n_rows
    panels.listed(
        {
            _("Quantity"): [item.name for item in found],
            _("All {rows}", rows=n_("{n:,} row", "{n:,} rows", before.fit.n_rows)): [
                _write(item, item.before, item.before_interval) for item in found
            ],
            _("Without {n_left_out}", n_left_out=n_left_out): [
                _write(item, item.after, item.after_interval) for item in found
            ],
            _("Change"): [
                f"{item.change:+.1%}" if item.is_relative else f"{item.change:+.4g}"
                for item in found
            ],
            _("In standard errors"): [
                "" if item.n_errors is None else f"{item.n_errors:+.1f}" for item in found
            ],
        },
        hide_index=True,
        alt=_("Both fits side by side, with intervals"),
        height="content",
    )
    st.caption(
        _(
            "In brackets: {level:.0%} bootstrap intervals; standard errors are "
            "of the first fit. The residual's standard deviation is the robust "
            "one.",
            level=LEVEL,
        )
    )


def _write(item: Change, value: float, ends: tuple[float, float] | None) -> str:
    text = item.write(value)
    return text if ends is None else f"{text}  [{item.write(ends[0])}, {item.write(ends[1])}]"


def _curves(before: View, after: View) -> None:
    if not before.optimum.exists:
        return
    figure = plot.before_after(
        before.fit,
        after.fit,
        compute_flop=before.target.compute_flop,
        table=before.fitted.table,
        fixed=before.target.fixed,
        rule=before.target.rule,
        level=LEVEL,
        theme=APP,
    )
    panels.drawn(figure, key="chart.before_after")

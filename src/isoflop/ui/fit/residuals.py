"""The section of the Fit page on what the law leaves unexplained."""

from __future__ import annotations

import streamlit as st

from isoflop import plot
from isoflop.language import gettext as _
from isoflop.plot import APP, axes
from isoflop.ui import inputs, panels
from isoflop.ui.fit.view import View

FITTED = "fitted"
N_FURTHEST = 7
N_SIGMA = 6.0
"""Robust standard deviations beyond which a row is drawn at the edge."""


def show(shown: View) -> None:
    """Draw the residuals along each input and the fitted value, and against a normal sample."""
    clip = _clip(shown)
    fit, table = shown.fit, shown.fitted.table
    columns = [*dict.fromkeys(item.column for item in fit.law.inputs)]
    columns += [name for name in axes.table_axes(table) if name == "compute_flop"]
    cells = st.columns(2, gap="medium")
    for i, column in enumerate([*dict.fromkeys(columns), FITTED]):
        with cells[i % 2]:
            figure = plot.residuals(
                fit, x=column, table=table, has_trend=True, clip=clip, theme=APP
            )
            panels.drawn(figure, key=f"chart.residuals.{column}", has_notes=False)
    last = len(dict.fromkeys(columns)) % 2
    with cells[1 - last]:
        figure = plot.residual_quantiles(fit, table=table, clip=clip, theme=APP)
        panels.drawn(figure, key="chart.quantiles")
    with cells[last]:
        _furthest(shown)
    st.caption(
        _(
            "Running medians carry their 95% intervals: where several in a row "
            "miss zero, the law has the wrong shape there. Dotted: two robust "
            "standard deviations."
        )
    )


def _clip(shown: View) -> float:
    """Ask where rows far off the curve are to be drawn, if there are any."""
    if not shown.residuals.are_far(N_SIGMA):
        return float("inf")
    place = inputs.choice(
        _("Outliers"),
        {"edge": _("Outliers at the edge"), "scale": _("All to scale")},
        key="fit.far",
        default="edge",
        help=_("A few rows far from the curve would flatten everything else."),
        style="row",
        is_label_shown=False,
    )
    return N_SIGMA if place == "edge" else float("inf")


def _furthest(shown: View) -> None:
    """List the rows furthest from the curve."""
    found = shown.residuals.furthest(N_FURTHEST)
    columns: dict[str, object] = {_("Row"): found.index}
    if "run_id" in found:
        columns[_("Run")] = found["run_id"].astype(str)
    columns |= {
        _("Observed"): [f"{value:.4g}" for value in found["observed"]],
        _("Fitted"): [f"{value:.4g}" for value in found["fitted"]],
        _("Standard deviations"): [f"{value:+.1f}" for value in found["standardised"]],
    }
    st.markdown(_("**Furthest from the curve**"))
    panels.listed(columns, hide_index=True, alt=_("Rows furthest from the curve"))

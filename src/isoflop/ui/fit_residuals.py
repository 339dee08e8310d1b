"""The section of the Fit page on what the law leaves unexplained."""

from __future__ import annotations

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from isoflop.figures import fit_residuals as drawing
from isoflop.figures import residuals
from isoflop.fitting.diagnose import normal_quantiles, trend
from isoflop.plot.axes import column_title
from isoflop.tables import LossTable
from isoflop.ui import fit_view, inputs, panels, rows
from isoflop.ui.fit_view import View
from isoflop.units import format_number

FITTED = "fitted value"
N_FURTHEST = 7
N_SIGMA = 6.0
"""Robust standard deviations beyond which a row is drawn at the edge."""


def show(shown: View) -> None:
    """Draw the residuals along each input and the fitted value, and against a normal sample."""
    left = fit_view.remainder(shown)
    limit = float("inf")
    if left.scale > 0 and float(np.abs(left.residual).max()) > N_SIGMA * left.scale:
        place = inputs.choice(
            "Rows far off",
            {"edge": "Far rows at the edge", "scale": "All to scale"},
            key="fit.far",
            default="edge",
            help="A few rows far off the curve would flatten everything else.",
            style="row",
            is_label_shown=False,
        )
        limit = N_SIGMA if place == "edge" else limit
    axes = {item.column: column_title(item.column) for item in shown.fit.law.inputs}
    if "compute_flop" in shown.fitted.table.frame:
        axes.setdefault("compute_flop", column_title("compute_flop"))
    cells = st.columns(2, gap="medium")
    for i, (column, title) in enumerate(axes.items()):
        with cells[i % 2]:
            _along(shown, column, title, limit)
    with cells[len(axes) % 2]:
        _along(shown, FITTED, f"Fitted {shown.fit.law.response}", limit, left.fitted)
    with cells[(len(axes) + 1) % 2]:
        _quantiles(shown, left.standardised, limit)
    with cells[len(axes) % 2]:
        _furthest(shown)
    st.caption(
        "Running medians carry their 95% intervals: where several in a row miss zero, the law has "
        "the wrong shape there. Dotted: two robust standard deviations."
    )


def _along(
    shown: View,
    column: str,
    title: str,
    limit: float,
    values: NDArray[np.float64] | None = None,
) -> None:
    fit, table = shown.fit, fitted_rows(shown)
    if values is not None:
        table = table.with_frame(table.frame.assign(**{column: values}))
    groups = rows.leftovers(table, fit, column)
    x = np.concatenate([group.x for group in groups])
    found = trend(table.frame[column].to_numpy(np.float64), fit.residuals)
    is_log = column != FITTED and bool((x > 0).all())
    drawn = drawing.along(
        groups,
        None
        if found is None
        else drawing.Trend(x=found.x, median=found.median, lower=found.lower, upper=found.upper),
        x_title=title,
        y_title=residual_title(shown),
        x_scale="log" if is_log else "linear",
        x_is_compute=column == "compute_flop",
        scale=fit_view.remainder(shown).scale,
        limit=limit * fit_view.remainder(shown).scale,
    )
    panels.chart(drawn, alt=residuals.alt(groups, x_title=title), key=f"chart.residuals.{column}")


def _quantiles(shown: View, standardised: NDArray[np.float64], limit: float) -> None:
    found = normal_quantiles(standardised)
    labels = row_labels(shown)
    ordered = drawing.Quantiles(
        normal=found.normal,
        observed=found.observed,
        lower=found.lower,
        upper=found.upper,
        labels=tuple(labels[i] for i in found.order),
    )
    panels.chart(
        drawing.quantiles(ordered, level=found.level, limit=limit),
        alt=drawing.quantiles_alt(ordered),
        key="chart.quantiles",
    )


def _furthest(shown: View) -> None:
    """List the rows furthest from the curve."""
    rest, frame = fit_view.remainder(shown), fitted_rows(shown).frame
    order = np.argsort(-np.abs(rest.standardised), kind="stable")[:N_FURTHEST]
    columns: dict[str, object] = {"Row": shown.fit.row_index[order]}
    if "run_id" in frame:
        columns["Run"] = frame["run_id"].astype(str).to_numpy()[order]
    columns |= {
        "Observed": [f"{v:.4g}" for v in frame[shown.fit.law.response].to_numpy(float)[order]],
        "Fitted": [f"{v:.4g}" for v in rest.fitted[order]],
        "Standard deviations": [f"{v:+.1f}" for v in rest.standardised[order]],
    }
    st.markdown("**Furthest from the curve**")
    st.dataframe(columns, hide_index=True, alt="Rows furthest from the curve")


def residual_title(shown: View) -> str:
    """Return what a residual is, with its unit."""
    kind = "log loss" if shown.fit.is_log else shown.fit.loss_unit
    return f"Observed minus fitted ({kind})"


def fitted_rows(shown: View) -> LossTable:
    """Return the rows that were fitted, in the fit's order."""
    table = shown.fitted.table
    return table.with_frame(table.frame.loc[shown.fit.row_index])


def row_labels(shown: View) -> tuple[str, ...]:
    """Describe each fitted row in a few lines, its number first."""
    frame = fitted_rows(shown).frame
    loss = frame[shown.fit.law.response].to_numpy(np.float64)
    parts = [[f"<b>row {index}</b>" for index in frame.index]]
    parts.append([f"{shown.fit.law.response} {value:.4g}" for value in loss])
    for item in shown.fit.law.inputs:
        values = frame[item.column].to_numpy(np.float64)
        parts.append([f"{item.symbol} {format_number(value)}" for value in values])
    return tuple("<br>".join(lines) for lines in zip(*parts, strict=True))

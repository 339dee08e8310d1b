"""The section of the Fit page on single rows: what each moves, and the fit without some."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from isoflop.errors import FitError
from isoflop.figures import fit_influence as drawing
from isoflop.figures import fit_sensitivity
from isoflop.fitting.diagnose import Unit, has_runs
from isoflop.planning.sensitivity import Influence
from isoflop.plot.theme import Scale
from isoflop.ui import fit_compare, fit_exclusions, fit_view, inputs, messages, panels
from isoflop.ui import fit_residuals as own_rows
from isoflop.ui.fit_view import LEVEL, View
from isoflop.units import counted, format_number

N_BARS = 12
SIZE, EXPONENT = "N*", "a"
CLICK_CONFIG = panels.CHART_CONFIG | {"modeBarButtonsToRemove": ["autoScale2d", "zoomIn2d"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """Something that rows move.

    Parameters
    ----------
    label, title : str
        In the choice, and on the axis of its change.
    with_all : float
    without : ndarray, shape (n_units,)
    change : ndarray, shape (n_units,)
        As the axis shows it.
    write : callable
    """

    label: str
    title: str
    with_all: float
    without: NDArray[np.float64]
    change: NDArray[np.float64]
    write: Callable[[float], str]


def show(shown: View) -> None:
    """Draw leverage and influence, the fit without the rows clicked, and the sensitivities."""
    unit: Unit = "rows"
    with st.container(horizontal=True, vertical_alignment="center", key="chart-head-influence"):
        st.markdown("**What is moved**", width="content")
        found = fit_view.moved(shown, unit)
        name = inputs.choice(
            "Quantity",
            {key: quantity.label for key, quantity in quantities(shown, found).items()},
            key="fit.moved",
            default=next(iter(quantities(shown, found))),
            help="The parameters, the best size at the budget, and its growth with compute.",
            is_label_shown=False,
        )
        if has_runs(shown.setup):
            unit = inputs.choice(
                "Left out",
                {"rows": "Each row", "runs": "Each run"},
                key="fit.unit",
                default="rows",
                help="Rows of one run share its noise and can hide each other.",
                style="row",
                is_label_shown=False,
            )
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _clickable(shown, quantities(shown, found)[name])
    with right:
        found = fit_view.moved(shown, unit)
        _bars(shown, found, quantities(shown, found)[name])
    _dropped(shown)
    _sensitivities(shown)
    _all_rows(shown)


def quantities(shown: View, found: Influence) -> dict[str, Quantity]:
    """Return everything that rows move, the optimum first where there is one."""
    result: dict[str, Quantity] = {}
    if fit_view.has_optimum(shown):
        size, exponent = found.with_all.params, found.with_all.exponent
        result[SIZE] = Quantity(
            label="Best model size N*",
            title="Change of N* without it (%)",
            with_all=float(size),
            without=found.without.params,
            change=100 * (found.without.params / size - 1),
            write=format_number,
        )
        result[EXPONENT] = Quantity(
            label="Exponent a of N*",
            title="Change of the exponent a without it",
            with_all=float(exponent),
            without=found.without.exponent,
            change=found.without.exponent - exponent,
            write=lambda value: f"{value:.4f}",
        )
    for j, param in enumerate(shown.fit.law.params):
        value, without = shown.fit.values[param.name], found.left_out.theta[:, j]
        is_log = param.scale == "log" and value > 0
        result[param.name] = Quantity(
            label=f"{param.name}: {param.help.rstrip('.')}" if param.help else param.name,
            title=f"Change of {param.name} without it" + (" (%)" if is_log else ""),
            with_all=value,
            without=without,
            change=100 * (without / value - 1) if is_log else without - value,
            write=lambda number: f"{number:.5g}",
        )
    return result


def _clickable(shown: View, quantity: Quantity) -> None:
    """Draw leverage against residual; a click or a lasso leaves rows out or takes them back."""
    rest, drops = fit_view.remainder(shown), fit_exclusions.current(shown.fitted.table)
    size = np.abs(np.nan_to_num(quantity.change, nan=np.nanmax(np.abs(quantity.change), initial=0)))
    weight = size / max(float(size.max()), 1e-300)
    frame = own_rows.fitted_rows(shown).frame
    families = (
        frame["family"].astype(str).to_numpy() if "family" in frame else np.full(len(frame), "Rows")
    )
    labels = own_rows.row_labels(shown)
    groups = []
    for family in dict.fromkeys(families.tolist()):
        at = np.flatnonzero(families == family)
        groups.append(
            drawing.Rows(
                family=html.escape(family),
                leverage=np.maximum(rest.leverage[at], 1e-6),
                residual=rest.standardised[at],
                weight=weight[at],
                index=shown.fit.row_index[at],
                is_dropped=np.isin(shown.fit.row_index[at], drops.rows),
                labels=tuple(
                    f"{labels[i]}<br>{quantity.label.split(':')[0]} without it "
                    f"{quantity.write(float(quantity.without[i]))}"
                    for i in at
                ),
            )
        )
    figure = drawing.figure(groups, n_params=shown.setup.n_params)
    key = f"fit.click.{len(drops.history)}.{hash(drops.rows)}"
    st.plotly_chart(
        figure,
        config=CLICK_CONFIG,
        alt=drawing.alt(groups),
        key=key,
        on_select=lambda: _take_click(shown, key),
        selection_mode=("points", "box", "lasso"),
    )
    st.caption(
        "The larger a marker, the more the row moves what is chosen. **Click a row, or lasso "
        "several, to leave them out**; hollow rows are out, and a click takes them back."
    )


def _take_click(shown: View, key: str) -> None:
    points = st.session_state[key].selection.points
    rows = [int(np.ravel(point["customdata"])[0]) for point in points if "customdata" in point]
    if rows:
        fit_exclusions.toggle(shown.fitted.table, rows)


def _bars(shown: View, found: Influence, quantity: Quantity) -> None:
    order = np.argsort(-np.abs(np.nan_to_num(quantity.change, nan=np.inf)), kind="stable")[:N_BARS]
    members = found.left_out.members
    index = shown.fit.row_index
    names = [_unit_name(shown, index[members[i]]) for i in order]
    labels = [
        f"<b>without {name}</b><br>{quantity.label.split(':')[0]} "
        f"{quantity.write(quantity.with_all)} → {quantity.write(float(quantity.without[i]))}"
        for i, name in zip(order, names, strict=True)
    ]
    change = np.nan_to_num(quantity.change[order], nan=0.0)
    panels.chart(
        drawing.bars(names, change, x_title=quantity.title, labels=labels),
        alt=drawing.bars_alt(names, change, x_title=quantity.title),
        key="chart.bars",
    )
    if not found.left_out.is_exact.all():
        n_exact = int(found.left_out.is_exact.sum())
        st.caption(f"The {n_exact} most promising are refitted; the others are to first order.")


def _unit_name(shown: View, rows: NDArray[np.int64]) -> str:
    frame = shown.fitted.table.frame
    if "run_id" in frame:
        run = html.escape(str(frame["run_id"].loc[rows[0]]))
        return f"{run} ({counted(len(rows), 'row')})" if len(rows) > 1 else f"row {rows[0]}, {run}"
    return f"row {rows[0]}"


def _dropped(shown: View) -> None:
    """Draw the buttons around what is left out, and both fits side by side."""
    table = shown.fitted.table
    drops = fit_exclusions.current(table)
    n_few = max(1, int(np.ceil(0.02 * shown.fit.n_rows)))
    st.markdown("**Leave rows out and fit again**")
    with st.container(horizontal=True, vertical_alignment="center"):
        few = _highest(shown, n_few)
        if st.button(
            f"Leave out the {n_few} highest losses" if n_few > 1 else "Leave out the highest loss",
            icon=":material/vertical_align_top:",
            disabled=set(few) <= set(drops.rows),
        ):
            fit_exclusions.keep(drops.changed((*drops.rows, *few)))
            st.rerun()
        if st.button("Undo", icon=":material/undo:", disabled=not drops.history):
            fit_exclusions.keep(drops.undone())
            st.rerun()
        if st.button("Take all back", icon=":material/restart_alt:", disabled=not drops.rows):
            fit_exclusions.keep(drops.changed(()))
            st.rerun()
    if not drops.rows:
        st.caption("Nothing is left out yet.")
        return
    shown_rows = ", ".join(map(str, drops.rows[:20])) + (" ..." if len(drops.rows) > 20 else "")
    st.caption(
        f"Left out: row {shown_rows}." if len(drops.rows) == 1 else f"Left out: rows {shown_rows}."
    )
    try:
        after = fit_view.without(shown, drops.rows)
    except FitError as problem:
        messages.show(problem)
        return
    fit_compare.show(shown, after, len(drops.rows))


def _highest(shown: View, count: int) -> list[int]:
    order = np.argsort(-shown.setup.rows.target, kind="stable")[:count]
    return [int(row) for row in shown.fit.row_index[order]]


def _sensitivities(shown: View) -> None:
    if not fit_view.has_optimum(shown):
        return
    band = fit_view.best(shown).interval("params")
    left, right = st.columns(2, gap="medium")
    with left:
        st.markdown("**Best size against the highest losses left out**")
        curve = fit_view.dropping(shown)
        _line(
            fit_sensitivity.Line(x=curve.x, params=curve.optima.params, here=0.0),
            "Highest losses left out",
            "linear",
            band,
            "chart.dropped",
        )
    with right:
        st.markdown("**Best size against the Huber δ**")
        narrowed = fit_view.narrowing(shown)
        if narrowed is None:
            st.caption("The asymmetric objective has no δ.")
            return
        line = fit_sensitivity.Line(
            x=narrowed.x,
            params=narrowed.optima.params,
            here=narrowed.here,
            limit="Least squares",
        )
        _line(line, "Huber δ", "log", band, "chart.delta")


def _line(
    line: fit_sensitivity.Line,
    title: str,
    scale: Scale,
    band: tuple[float, float] | None,
    key: str,
) -> None:
    figure = fit_sensitivity.figure(line, x_title=title, x_scale=scale, band=band, level=LEVEL)
    panels.chart(figure, alt=fit_sensitivity.alt(line, x_title=title), key=key)


def _all_rows(shown: View) -> None:
    """List every row with its leverage, residual and what it moves."""
    with st.expander("Every row", icon=":material/table_rows:"):
        rest = fit_view.remainder(shown)
        frame = own_rows.fitted_rows(shown).frame
        columns: dict[str, object] = {"Row": shown.fit.row_index}
        if "run_id" in frame:
            columns["Run"] = frame["run_id"].astype(str).to_numpy()
        columns |= {
            "Leverage": rest.leverage,
            "Residual": rest.residual,
            "Residual (sd)": rest.standardised,
        }
        for key, quantity in quantities(shown, fit_view.moved(shown, "rows")).items():
            columns[f"{key} without it"] = quantity.without
        st.dataframe(columns, hide_index=True, alt="Every row, and the fit without it", height=360)
